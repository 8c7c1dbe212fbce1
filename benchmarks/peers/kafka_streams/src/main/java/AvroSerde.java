import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificData;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;

/** Avro in Confluent's wire format: a zero, four bytes of the schema's id, the record. Used by several threads. */
final class AvroSerde {
    private static final int PREFIX = 5;

    private AvroSerde() {}

    static <T extends SpecificRecord> Serde<T> of(SchemaRegistry registry, Class<T> type) {
        Schema schema = SpecificData.get().getSchema(type);
        return Serdes.serdeFrom(new Writer<>(registry, schema), new Reader<>(registry, schema));
    }

    private static final class Writer<T> implements Serializer<T> {
        private final SchemaRegistry registry;
        private final Schema schema;
        private final SpecificDatumWriter<T> writer;
        private final ThreadLocal<State> states = ThreadLocal.withInitial(State::new);

        private static final class State {
            final Map<String, byte[]> prefixes = new HashMap<>();
            final ByteArrayOutputStream out = new ByteArrayOutputStream();
            BinaryEncoder encoder;
        }

        Writer(SchemaRegistry registry, Schema schema) {
            this.registry = registry;
            this.schema = schema;
            this.writer = new SpecificDatumWriter<>(schema);
        }

        @Override
        public byte[] serialize(String topic, T record) {
            if (record == null) {
                return null;
            }
            State state = states.get();
            byte[] prefix = state.prefixes.computeIfAbsent(
                topic, name -> ByteBuffer.allocate(PREFIX).put((byte) 0).putInt(registry.register(name + "-value", schema)).array());
            state.out.reset();
            state.out.write(prefix, 0, PREFIX);
            state.encoder = EncoderFactory.get().directBinaryEncoder(state.out, state.encoder);
            try {
                writer.write(record, state.encoder);
            } catch (IOException error) {
                throw new SerializationException(error);
            }
            return state.out.toByteArray();
        }
    }

    private static final class Reader<T> implements Deserializer<T> {
        private final SchemaRegistry registry;
        private final Schema schema;
        private final ThreadLocal<State<T>> states = ThreadLocal.withInitial(State::new);

        private static final class State<T> {
            final Map<Integer, SpecificDatumReader<T>> readers = new HashMap<>();
            BinaryDecoder decoder;
        }

        Reader(SchemaRegistry registry, Schema schema) {
            this.registry = registry;
            this.schema = schema;
        }

        @Override
        public T deserialize(String topic, byte[] data) {
            if (data == null) {
                return null;
            }
            State<T> state = states.get();
            SpecificDatumReader<T> reader = state.readers.computeIfAbsent(
                ByteBuffer.wrap(data).getInt(1), id -> new SpecificDatumReader<>(registry.schema(id), schema));
            state.decoder = DecoderFactory.get().binaryDecoder(data, PREFIX, data.length - PREFIX, state.decoder);
            try {
                return reader.read(null, state.decoder);
            } catch (IOException error) {
                throw new SerializationException(error);
            }
        }
    }
}
