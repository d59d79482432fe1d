package evert.peers;

import java.util.List;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.TopologyTestDriver;

interface Job {
  /** Which of Events.TOPICS it reads. */
  boolean reads(int topic);

  /** The record's field that its key is: the job joins or groups by it. */
  int keyField(int topic);

  void build(StreamsBuilder builder);

  /** The rows of the answer; `given` is what came out of the topic Jobs.ANSWER. */
  List<String> answer(TopologyTestDriver driver, List<byte[]> given);
}
