package evert.peers;

import static evert.peers.Events.AUCTION;
import static evert.peers.Events.BID;
import static evert.peers.Events.PERSON;

import evert.peers.Events.Auction;
import evert.peers.Events.Bid;
import evert.peers.Events.Person;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The joins are of a stream with a table: they look up the other side once, when the stream's record comes, and do not follow its changes, as Evert's
 * do. On these events, where people and auctions come before what refers to them, the answer is the same, and it costs less.
 */
final class Jobs {
  static final String ANSWER = "answer";
  private static final Set<String> STATES = Set.of("OR", "ID", "CA");
  private static final Serde<Long> LONG = Serdes.Long();

  static Job named(String name) {
    return switch (name) {
      case "q0" -> new Q0();
      case "q3" -> new Q3();
      case "q4" -> new Q4();
      default -> throw new IllegalArgumentException("an unknown job: " + name);
    };
  }

  private static <V> Materialized<Long, V, KeyValueStore<Bytes, byte[]>> inMemory(String name, Serde<V> values) {
    return Materialized.<Long, V>as(Stores.inMemoryKeyValueStore(name))
        .withKeySerde(LONG)
        .withValueSerde(values)
        .withLoggingDisabled()
        .withCachingDisabled();
  }

  /** Every bid, without what nobody asked for. */
  private static final class Q0 implements Job {
    @Override
    public boolean reads(int topic) {
      return topic == BID;
    }

    @Override
    public int keyField(int topic) {
      return 1;
    }

    @Override
    public void build(StreamsBuilder builder) {
      builder.stream("bid", Consumed.with(LONG, Events.BIDS)).to(ANSWER, Produced.with(LONG, Events.BIDS));
    }

    @Override
    public List<String> answer(TopologyTestDriver driver, List<byte[]> given) {
      List<String> rows = new ArrayList<>(given.size());
      for (byte[] bytes : given) {
        Bid b = Events.BIDS.deserializer().deserialize(null, bytes);
        rows.add(b.auction() + "|" + b.bidder() + "|" + b.price() + "|" + b.at() + "|" + b.extra());
      }
      return rows;
    }
  }

  record Seller(String name, String city, String state, long auction) {}

  /** Auctions of a category with their sellers in some states. */
  private static final class Q3 implements Job {
    private static final Serde<Seller> SELLERS =
        Events.serde(
            (s, out) -> {
              out.writeUTF(s.name());
              out.writeUTF(s.city());
              out.writeUTF(s.state());
              out.writeLong(s.auction());
            },
            in -> new Seller(in.readUTF(), in.readUTF(), in.readUTF(), in.readLong()));

    @Override
    public boolean reads(int topic) {
      return topic != BID;
    }

    @Override
    public int keyField(int topic) {
      return topic == PERSON ? 1 : 8;
    }

    @Override
    public void build(StreamsBuilder builder) {
      KTable<Long, Person> people =
          builder.stream("person", Consumed.with(LONG, Events.PEOPLE))
              .filter((id, p) -> STATES.contains(p.state()))
              .toTable(inMemory("people", Events.PEOPLE));
      builder.stream("auction", Consumed.with(LONG, Events.AUCTIONS))
          .filter((seller, a) -> a.category() == 10)
          .join(
              people,
              (a, p) -> new Seller(p.name(), p.city(), p.state(), a.id()),
              Joined.with(LONG, Events.AUCTIONS, Events.PEOPLE))
          .to(ANSWER, Produced.with(LONG, SELLERS));
    }

    @Override
    public List<String> answer(TopologyTestDriver driver, List<byte[]> given) {
      List<String> rows = new ArrayList<>(given.size());
      for (byte[] bytes : given) {
        Seller s = SELLERS.deserializer().deserialize(null, bytes);
        rows.add(s.name() + "|" + s.city() + "|" + s.state() + "|" + s.auction());
      }
      return rows;
    }
  }

  record Closing(long category, long price) {}

  record Totals(long sum, long count) {}

  /** The average of the highest bids of the auctions of each category. */
  private static final class Q4 implements Job {
    private static final Serde<Closing> CLOSINGS =
        Events.serde(
            (c, out) -> {
              out.writeLong(c.category());
              out.writeLong(c.price());
            },
            in -> new Closing(in.readLong(), in.readLong()));
    private static final Serde<Totals> TOTALS =
        Events.serde(
            (t, out) -> {
              out.writeLong(t.sum());
              out.writeLong(t.count());
            },
            in -> new Totals(in.readLong(), in.readLong()));

    @Override
    public boolean reads(int topic) {
      return topic == AUCTION || topic == BID;
    }

    @Override
    public int keyField(int topic) {
      return 1;
    }

    @Override
    public void build(StreamsBuilder builder) {
      KTable<Long, Auction> auctions =
          builder.stream("auction", Consumed.with(LONG, Events.AUCTIONS))
              .toTable(inMemory("auctions", Events.AUCTIONS));
      builder.stream("bid", Consumed.with(LONG, Events.BIDS))
          .join(
              auctions,
              (b, a) ->
                  b.at() >= a.opened() && b.at() <= a.expires() ? new Closing(a.category(), b.price()) : null,
              Joined.with(LONG, Events.BIDS, Events.AUCTIONS))
          .filter((auction, closing) -> closing != null)
          .groupByKey(Grouped.with(LONG, CLOSINGS))
          .reduce((a, b) -> b.price() > a.price() ? b : a, inMemory("highest", CLOSINGS))
          .groupBy((auction, c) -> KeyValue.pair(c.category(), c.price()), Grouped.with("by-category", LONG, LONG))
          .aggregate(
              () -> new Totals(0, 0),
              (category, price, t) -> new Totals(t.sum() + price, t.count() + 1),
              (category, price, t) -> new Totals(t.sum() - price, t.count() - 1),
              inMemory("totals", TOTALS));
    }

    @Override
    public List<String> answer(TopologyTestDriver driver, List<byte[]> given) {
      List<String> rows = new ArrayList<>();
      KeyValueStore<Long, Totals> totals = driver.getKeyValueStore("totals");
      try (var all = totals.all()) {
        all.forEachRemaining(
            row -> rows.add(row.key + "|" + (double) row.value.sum() / row.value.count()));
      }
      return rows;
    }
  }

  private Jobs() {}
}
