import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.kafka.common.errors.SerializationException;

/** The two requests of a schema registry that are needed here. */
final class SchemaRegistry {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final HttpClient HTTP = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private final String url;

    SchemaRegistry(String url) {
        this.url = url;
    }

    /** Gives the schema of an id. */
    Schema schema(int id) {
        return new Schema.Parser().parse(ask(request("/schemas/ids/" + id).GET()).get("schema").asText());
    }

    /** Registers a schema, if it is new, and gives its id. */
    int register(String subject, Schema schema) {
        String content = JSON.valueToTree(Map.of("schema", schema.toString())).toString();
        return ask(request("/subjects/" + subject + "/versions").POST(HttpRequest.BodyPublishers.ofString(content))).get("id").asInt();
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(url + path)).header("Content-Type", "application/vnd.schemaregistry.v1+json");
    }

    private static JsonNode ask(HttpRequest.Builder request) {
        try {
            HttpResponse<String> answer = HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() != 200) {
                throw new SerializationException("the schema registry said " + answer.statusCode() + ": " + answer.body());
            }
            return JSON.readTree(answer.body());
        } catch (IOException error) {
            throw new SerializationException(error);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw new SerializationException(error);
        }
    }
}
