package evert.peers;

import evert.peers.Events.Input;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;

/**
 * Nexmark's q0, q3 and q4 in Kafka Streams, over the events of bench/nexmark/event-file.ts.
 *
 * <pre>java -cp ... evert.peers.Main EVENTS JOB TURNS ANSWER</pre>
 *
 * The topology runs in its TopologyTestDriver: one thread, no broker, no network, stores in memory without change logs. Records are encoded before the
 * clock starts, with the key that the job partitions by, as a producer would have chosen it; in the time are decoding, the topology, and
 * encoding and taking what it gives. The driver commits after every record, which a running application does not.
 *
 * Every turn makes a new topology and takes all events; the first turns warm the JVM up. The answer's rows, a line each, go into the file
 * ANSWER; events per second of each turn go to standard output, as JSON.
 */
public final class Main {
  public static void main(String[] args) throws Exception {
    if (args.length != 4) throw new IllegalArgumentException("EVENTS JOB TURNS ANSWER");
    Job job = Jobs.named(args[1]);
    List<Input> inputs = Events.read(Path.of(args[0]), job);
    int events = Events.count(Path.of(args[0]));
    List<Double> rates = new ArrayList<>();
    List<String> answer = List.of();
    for (int turn = 0; turn < Integer.parseInt(args[2]); turn++) {
      StreamsBuilder builder = new StreamsBuilder();
      job.build(builder);
      try (TopologyTestDriver driver = new TopologyTestDriver(builder.build(), properties())) {
        List<TestInputTopic<byte[], byte[]>> topics = new ArrayList<>();
        for (String topic : Events.TOPICS)
          topics.add(driver.createInputTopic(topic, new ByteArraySerializer(), new ByteArraySerializer()));
        TestOutputTopic<byte[], byte[]> out =
            driver.createOutputTopic(Jobs.ANSWER, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        List<byte[]> given = new ArrayList<>(inputs.size());
        long started = System.nanoTime();
        for (Input input : inputs) {
          topics.get(input.topic()).pipeInput(input.key(), input.value());
          while (!out.isEmpty()) given.add(out.readValue());
        }
        rates.add(events * 1e9 / (System.nanoTime() - started));
        answer = job.answer(driver, given);
      }
    }
    Files.write(Path.of(args[3]), answer);
    System.out.println("{\"rates\":" + rates + "}");
  }

  private static Properties properties() {
    Properties properties = new Properties();
    properties.put(StreamsConfig.APPLICATION_ID_CONFIG, "evert-bench");
    properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "nowhere:1");
    return properties;
  }
}
