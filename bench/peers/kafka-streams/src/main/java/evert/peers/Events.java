package evert.peers;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.serialization.LongSerializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** The events of the file, and how a record lies in bytes: fields one after the other, integers of eight bytes, texts in UTF-8. */
final class Events {
  static final List<String> TOPICS = List.of("person", "auction", "bid");
  static final int PERSON = 0;
  static final int AUCTION = 1;
  static final int BID = 2;

  record Person(String name, String city, String state) {}

  record Auction(long id, long opened, long expires, long seller, long category) {}

  record Bid(long auction, long bidder, long price, long at, String extra) {}

  record Input(int topic, byte[] key, byte[] value) {}

  /** Of the topics the job reads; the others would only be skipped. */
  static List<Input> read(Path file, Job job) throws IOException {
    List<Input> inputs = new ArrayList<>();
    try (BufferedReader lines = Files.newBufferedReader(file);
        LongSerializer keys = new LongSerializer()) {
      for (String line; (line = lines.readLine()) != null; ) {
        String[] f = line.split("\t");
        int topic = TOPICS.indexOf(f[0]);
        if (topic < 0 || !job.reads(topic)) continue;
        byte[] key = keys.serialize(null, Long.parseLong(f[job.keyField(topic)]));
        inputs.add(new Input(topic, key, value(topic, f)));
      }
    }
    return inputs;
  }

  static int count(Path file) throws IOException {
    try (var lines = Files.lines(file)) {
      return (int) lines.filter(line -> !line.equals("end")).count();
    }
  }

  private static byte[] value(int topic, String[] f) {
    return switch (topic) {
      case PERSON -> PEOPLE.serializer().serialize(null, new Person(f[2], f[5], f[6]));
      case AUCTION -> AUCTIONS.serializer()
          .serialize(null, new Auction(integer(f[1]), integer(f[6]), integer(f[7]), integer(f[8]), integer(f[9])));
      default -> BIDS.serializer()
          .serialize(null, new Bid(integer(f[1]), integer(f[2]), integer(f[3]), integer(f[6]), f[7]));
    };
  }

  private static long integer(String field) {
    return Long.parseLong(field);
  }

  static final Serde<Person> PEOPLE =
      serde(
          (p, out) -> {
            out.writeUTF(p.name());
            out.writeUTF(p.city());
            out.writeUTF(p.state());
          },
          in -> new Person(in.readUTF(), in.readUTF(), in.readUTF()));

  static final Serde<Auction> AUCTIONS =
      serde(
          (a, out) -> {
            out.writeLong(a.id());
            out.writeLong(a.opened());
            out.writeLong(a.expires());
            out.writeLong(a.seller());
            out.writeLong(a.category());
          },
          in -> new Auction(in.readLong(), in.readLong(), in.readLong(), in.readLong(), in.readLong()));

  static final Serde<Bid> BIDS =
      serde(
          (b, out) -> {
            out.writeLong(b.auction());
            out.writeLong(b.bidder());
            out.writeLong(b.price());
            out.writeLong(b.at());
            out.writeUTF(b.extra());
          },
          in -> new Bid(in.readLong(), in.readLong(), in.readLong(), in.readLong(), in.readUTF()));

  interface Writer<T> {
    void write(T value, DataOutputStream out) throws IOException;
  }

  interface Reader<T> {
    T read(DataInputStream in) throws IOException;
  }

  static <T> Serde<T> serde(Writer<T> writer, Reader<T> reader) {
    return Serdes.serdeFrom(
        (topic, value) -> {
          if (value == null) return null;
          ByteArrayOutputStream bytes = new ByteArrayOutputStream(128);
          try {
            writer.write(value, new DataOutputStream(bytes));
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
          return bytes.toByteArray();
        },
        (topic, bytes) -> {
          if (bytes == null) return null;
          try {
            return reader.read(new DataInputStream(new ByteArrayInputStream(bytes)));
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  private Events() {}
}
