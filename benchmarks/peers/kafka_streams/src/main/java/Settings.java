import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.streams.StreamsConfig;

/** Settings of the variants: {@code default} is exactly-once and the state's folder, {@code tuned} is below. */
final class Settings {
    private Settings() {}

    static Map<String, Object> of(Map<String, String> options) {
        Map<String, Object> settings = new HashMap<>();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.get("bootstrap-servers"));
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, options.get("application"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, options.get("state"));
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        if (isTuned(options)) {
            settings.putAll(tuned(options.get("application")));
        }
        return settings;
    }

    static boolean isTuned(Map<String, String> options) {
        return "tuned".equals(options.get("variant"));
    }

    private static Map<String, Object> tuned(String application) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("num.stream.threads", 2); // as many as processors
        settings.put("topology.optimization", "all"); // a table's topic is its changelog
        settings.put("statestore.cache.max.bytes", 64 << 20); // fewer writes to RocksDB and changelogs
        settings.put("rocksdb.config.setter", RocksSettings.class);
        settings.put("commit.interval.ms", 50); // instead of 100: nothing comes out before a commit
        settings.put("main.consumer.group.instance.id", application); // a restart takes its partitions over at once
        settings.put("main.consumer.session.timeout.ms", 6000); // instead of 45000: until another process takes over
        settings.put("main.consumer.heartbeat.interval.ms", 1500);
        settings.put("consumer.max.poll.records", 5000); // instead of 1000
        settings.put("consumer.max.partition.fetch.bytes", 4 << 20);
        settings.put("producer.batch.size", 256 << 10); // instead of 16 KiB
        settings.put("producer.buffer.memory", 128L << 20);
        settings.put("producer.linger.ms", 20); // instead of 100, for larger batches; a commit does not wait for it
        settings.put("producer.compression.type", "lz4");
        settings.put("metrics.recording.level", "INFO");
        return settings;
    }
}
