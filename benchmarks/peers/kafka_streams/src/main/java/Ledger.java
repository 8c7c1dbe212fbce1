import java.util.Set;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** Decides on requests, each once: balances in one store, the requests that were settled in another. */
final class Ledger implements ProcessorSupplier<String, Request, String, Outcome> {
    private static final String BALANCES = "balances";
    private static final String SETTLED = "settled";
    private static final byte[] YES = {1};

    private final boolean cached;

    Ledger(boolean cached) {
        this.cached = cached;
    }

    @Override
    public Set<StoreBuilder<?>> stores() {
        return Set.of(
            built(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(BALANCES), Serdes.String(), Balance.SERDE)),
            built(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(SETTLED), Serdes.String(), Serdes.ByteArray())));
    }

    private StoreBuilder<?> built(StoreBuilder<?> store) {
        return cached ? store.withCachingEnabled() : store;
    }

    @Override
    public Processor<String, Request, String, Outcome> get() {
        return new Processor<>() {
            private ProcessorContext<String, Outcome> context;
            private KeyValueStore<String, Balance> balances;
            private KeyValueStore<String, byte[]> settled;

            @Override
            public void init(ProcessorContext<String, Outcome> context) {
                this.context = context;
                this.balances = context.getStateStore(BALANCES);
                this.settled = context.getStateStore(SETTLED);
            }

            @Override
            public void process(Record<String, Request> record) {
                Request request = record.value();
                String id = record.key() + "/" + request.getRequestId();
                if (settled.get(id) != null) {
                    return;
                }
                Balance before = balances.get(record.key());
                if (before == null) {
                    before = Balance.NONE;
                }
                long change = request.getKind().equals("deposit") ? request.getAmount() : -request.getAmount();
                boolean accepted = before.amount() + change >= 0;
                Balance after = new Balance(before.amount() + (accepted ? change : 0), before.sequence() + 1);
                settled.put(id, YES);
                balances.put(record.key(), after);
                context.forward(record.withValue(
                    new Outcome(request.getRequestId(), request.getAccountId(), accepted, after.amount(), after.sequence())));
            }
        };
    }
}
