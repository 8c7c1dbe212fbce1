import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** What the ledger knows of an account. */
record Balance(long amount, long sequence) {
    static final Balance NONE = new Balance(0, 0);

    static final Serde<Balance> SERDE = Serdes.serdeFrom(
        (topic, balance) -> balance == null ? null : ByteBuffer.allocate(16).putLong(balance.amount).putLong(balance.sequence).array(),
        (topic, data) -> data == null ? null : new Balance(ByteBuffer.wrap(data).getLong(), ByteBuffer.wrap(data).getLong(8)));
}
