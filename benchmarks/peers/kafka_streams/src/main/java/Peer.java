import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/** Runs a job until SIGTERM. Arguments: the job, then pairs such as {@code --input TOPIC}; see arguments.py. */
public class Peer {
    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int index = 1; index + 1 < arguments.length; index += 2) {
            options.put(arguments[index].substring(2), arguments[index + 1]);
        }
        StreamsConfig config = new StreamsConfig(Settings.of(options));
        Topology topology = topology(arguments[0], options, config);
        KafkaStreams streams = new KafkaStreams(topology, config);
        CountDownLatch closed = new CountDownLatch(1);
        // The process ends by halting: after a signal, exit() would say 143.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            boolean clean = streams.close(Duration.ofSeconds(30));
            closed.countDown();
            Runtime.getRuntime().halt(clean ? 0 : 1);
        }));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        streams.start();
        closed.await();
    }

    private static Topology topology(String job, Map<String, String> options, StreamsConfig config) throws IOException {
        Jobs jobs = new Jobs(options, config);
        switch (job) {
            case "fraud":
                return jobs.fraud();
            case "ledger":
                return jobs.ledger();
            case "windows":
                return jobs.windows();
            case "join":
                return jobs.join();
            default:
                throw new IllegalArgumentException("job is " + job + ", expected fraud, ledger, windows or join");
        }
    }
}
