import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Apache Kafka's command line tools one after the other in one JVM, since starting a JVM takes longer than most of
 * them. A line of input is a class, what it reads, and its arguments; a line of output is its exit status and what it
 * wrote to standard output and standard error. Everything but the class and the status is in Base64.
 */
public class ToolServer {
    /** What a tool's call of Exit becomes. */
    private static final class Exited extends Error {
        Exited(int status) {
            super("exit " + status, null, false, false);
        }
    }

    /** The first status that a tool exits with counts: some catch what their own call of Exit throws here. */
    private static volatile Integer status;

    /** What a tool leaves to the end of the JVM, such as closing its producer, is done at the end of the tool. */
    private static final List<Runnable> SHUTDOWN_HOOKS = new CopyOnWriteArrayList<>();

    public static void main(String[] ignored) throws Exception {
        Exit.Procedure exit = (code, message) -> {
            status = status == null ? code : status;
            throw new Exited(code);
        };
        Exit.setExitProcedure(exit);
        Exit.setHaltProcedure(exit);
        Exit.setShutdownHookAdder((name, hook) -> SHUTDOWN_HOOKS.add(hook));
        PrintStream answers = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            answers.println(answer(line.split(" ", -1)));
        }
        Runtime.getRuntime().halt(0);
    }

    private static String answer(String[] request) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        System.setIn(new ByteArrayInputStream(decode(request[1])));
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        status = null;
        int unexited = run(request[0], Arrays.stream(request).skip(2).map(ToolServer::text).toArray(String[]::new));
        SHUTDOWN_HOOKS.forEach(Runnable::run);
        SHUTDOWN_HOOKS.clear();
        System.out.flush();
        System.err.flush();
        return (status == null ? unexited : status) + " " + encode(out) + " " + encode(err);
    }

    private static int run(String tool, String[] arguments) {
        try {
            Class.forName(tool).getMethod("main", String[].class).invoke(null, (Object) arguments);
            return 0;
        } catch (InvocationTargetException thrown) {
            if (!(thrown.getCause() instanceof Exited)) {
                thrown.getCause().printStackTrace();
            }
            return 1;
        } catch (ReflectiveOperationException error) {
            error.printStackTrace();
            return 2;
        }
    }

    private static byte[] decode(String text) {
        return Base64.getDecoder().decode(text);
    }

    private static String text(String encoded) {
        return new String(decode(encoded), StandardCharsets.UTF_8);
    }

    private static String encode(ByteArrayOutputStream bytes) {
        return Base64.getEncoder().encodeToString(bytes.toByteArray());
    }
}
