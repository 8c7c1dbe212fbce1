import java.time.Duration;
import java.util.Map;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.WindowStore;

/** The jobs. */
final class Jobs {
    private static final double FRAUD = 0.8;
    private static final Duration WINDOW = Duration.ofMinutes(1);
    private static final Duration GRACE = Duration.ofSeconds(10);

    private final Map<String, String> options;
    private final StreamsBuilder builder;
    private final StreamsConfig config;
    private final Serde<String> keys = Serdes.String();

    Jobs(Map<String, String> options, StreamsConfig config) {
        this.options = options;
        this.config = config;
        this.builder = new StreamsBuilder(new TopologyConfig(config));
    }

    /** Pass on payments that are probably fraud. */
    Topology fraud() {
        Serde<Payment> payments = avro(Payment.class);
        stream(payments).filter((key, payment) -> payment.getFraudProbability() > FRAUD).to(output(), Produced.with(keys, payments));
        return build();
    }

    /** Decide on deposits and withdrawals, each once. */
    Topology ledger() {
        stream(avro(Request.class)).process(new Ledger(Settings.isTuned(options))).to(output(), Produced.with(keys, avro(Outcome.class)));
        return build();
    }

    /** Count the records of a key in each minute; without a cache, so that every count comes out. */
    Topology windows() {
        Materialized<String, Long, WindowStore<Bytes, byte[]>> counts = Materialized.as("counts");
        stream(Serdes.ByteArray())
            .groupByKey(Grouped.with(keys, Serdes.ByteArray()))
            .windowedBy(TimeWindows.ofSizeAndGrace(WINDOW, GRACE))
            .count(counts.withKeySerde(keys).withValueSerde(Serdes.Long()).withCachingDisabled())
            .toStream()
            .to(output(), Produced.with(WindowedSerdes.timeWindowedSerdeFrom(String.class, WINDOW.toMillis()), Serdes.Long()));
        return build();
    }

    /** Give payments the owners of their accounts. */
    Topology join() {
        Materialized<String, Account, KeyValueStore<Bytes, byte[]>> store = Materialized.as("accounts");
        KTable<String, Account> accounts = builder.table(options.get("table"), Consumed.with(keys, avro(Account.class)), store);
        stream(avro(Payment.class))
            .join(
                accounts,
                (payment, account) -> new Paid(payment.getPaymentId(), account.getOwner(), payment.getAmount()),
                Joined.with(keys, avro(Payment.class), avro(Account.class)))
            .to(output(), Produced.with(keys, avro(Paid.class)));
        return build();
    }

    private <T> KStream<String, T> stream(Serde<T> values) {
        return builder.stream(options.get("input"), Consumed.with(keys, values));
    }

    private String output() {
        return options.get("output");
    }

    private <T extends SpecificRecord> Serde<T> avro(Class<T> type) {
        return AvroSerde.of(new SchemaRegistry(options.get("registry")), type);
    }

    private Topology build() {
        // With the configuration, because the optimization happens here.
        java.util.Properties properties = new java.util.Properties();
        properties.putAll(config.originals());
        return builder.build(properties);
    }
}
