/**
 * Nexmark's queries in PostgreSQL's words, each as a view.
 *
 * Where the streaming dialects have windows of their own, `date_bin` makes tumbling ones, a join with the offsets 0 s .. 8 s hopping ones, and the
 * gaps between a bidder's bids sessions. Two depend on what no database can repeat and are asked by event time instead: q12 (processing time) and q6 (the
 * last ten auctions to close, by the time of the winning bid). q13 reads a side input of 10,000 rows that is there before. No two
 * bids have the same time, so no answer hangs on the order of equals.
 *
 * `flink`: events per second on one core as published for Flink on another machine, where it is; a mark to aim at and no comparison.
 */

export interface NexmarkQuery {
  readonly name: string;
  readonly sql: string;
  readonly flink?: number;
}

const window10 = (column: string) => `date_bin('10 seconds', ${column}, '2015-07-15')`;

const winning = `
  SELECT auction.id, auction.seller, auction.category, auction.item_name, auction.expires, bid.price, bid.bidder, bid.date_time,
    row_number() OVER (PARTITION BY auction.id ORDER BY bid.price DESC, bid.date_time) AS place
  FROM auction JOIN bid ON auction.id = bid.auction AND bid.date_time BETWEEN auction.date_time AND auction.expires`;

const ranks = `
    count(*) FILTER (WHERE price < 10000) AS rank1_bids,
    count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
    count(*) FILTER (WHERE price >= 1000000) AS rank3_bids`;

const distinctRanks = (column: string) => `
    count(DISTINCT ${column}) AS total_${column}s,
    count(DISTINCT ${column}) FILTER (WHERE price < 10000) AS rank1_${column}s,
    count(DISTINCT ${column}) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_${column}s,
    count(DISTINCT ${column}) FILTER (WHERE price >= 1000000) AS rank3_${column}s`;

const hops = `
  SELECT auction, date_bin('2 seconds', date_time, '2015-07-15') - back.by AS starts, count(*) AS num
  FROM bid CROSS JOIN (VALUES (interval '0 s'), (interval '2 s'), (interval '4 s'), (interval '6 s'), (interval '8 s')) AS back (by)
  GROUP BY auction, starts`;

export const queries: readonly NexmarkQuery[] = [
  { name: "q0", flink: 155_000, sql: "SELECT auction, bidder, price, date_time, extra FROM bid" },
  {
    name: "q1",
    flink: 158_000,
    sql: "SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM bid",
  },
  { name: "q2", flink: 175_000, sql: "SELECT auction, price FROM bid WHERE auction % 123 = 0" },
  {
    name: "q3",
    flink: 152_000,
    sql: `SELECT person.name, person.city, person.state, auction.id
      FROM auction JOIN person ON auction.seller = person.id
      WHERE auction.category = 10 AND person.state IN ('OR', 'ID', 'CA')`,
  },
  {
    name: "q4",
    flink: 34_000,
    sql: `SELECT category, avg(final) AS average FROM (
        SELECT max(bid.price) AS final, auction.category
        FROM auction JOIN bid ON auction.id = bid.auction AND bid.date_time BETWEEN auction.date_time AND auction.expires
        GROUP BY auction.id, auction.category
      ) AS closed GROUP BY category`,
  },
  {
    name: "q5",
    flink: 22_000,
    sql: `WITH counted AS (${hops})
      SELECT counted.auction, counted.num FROM counted
      JOIN (SELECT starts, max(num) AS most FROM counted GROUP BY starts) AS hottest
        ON counted.starts = hottest.starts AND counted.num >= hottest.most`,
  },
  {
    name: "q6",
    sql: `SELECT seller, avg(price) OVER (PARTITION BY seller ORDER BY date_time, id ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS average
      FROM (${winning}) AS bids WHERE place = 1`,
  },
  {
    name: "q7",
    flink: 12_000,
    sql: `SELECT bid.auction, bid.price, bid.bidder, bid.date_time, bid.extra FROM bid
      JOIN (SELECT max(price) AS most, ${window10("date_time")} AS starts FROM bid GROUP BY starts) AS highest
        ON bid.price = highest.most AND bid.date_time >= highest.starts AND bid.date_time < highest.starts + interval '10 seconds'`,
  },
  {
    name: "q8",
    flink: 146_000,
    sql: `SELECT people.id, people.name, people.starts
      FROM (SELECT id, name, ${window10("date_time")} AS starts FROM person GROUP BY id, name, starts) AS people
      JOIN (SELECT seller, ${window10("date_time")} AS starts FROM auction GROUP BY seller, starts) AS sellers
        ON people.id = sellers.seller AND people.starts = sellers.starts`,
  },
  {
    name: "q9",
    flink: 14_000,
    sql: `SELECT id, item_name, seller, category, expires, price, bidder, date_time FROM (${winning}) AS bids WHERE place = 1`,
  },
  {
    name: "q10",
    sql: `SELECT auction, bidder, price, date_time, extra, to_char(date_time, 'YYYY-MM-DD') AS day, to_char(date_time, 'HH24:MI') AS minute
      FROM bid`,
  },
  {
    name: "q11",
    sql: `SELECT bidder, count(*) AS bids, min(date_time) AS starts, max(date_time) AS ends FROM (
        SELECT bidder, date_time, sum(opens) OVER (PARTITION BY bidder ORDER BY date_time) AS session FROM (
          SELECT bidder, date_time,
            CASE WHEN date_time - lag(date_time) OVER (PARTITION BY bidder ORDER BY date_time) <= interval '10 seconds' THEN 0 ELSE 1 END AS opens
          FROM bid) AS gaps
      ) AS numbered GROUP BY bidder, session`,
  },
  {
    name: "q12",
    sql: `SELECT bidder, count(*) AS bids, ${window10("date_time")} AS starts FROM bid GROUP BY bidder, starts`,
  },
  {
    name: "q13",
    sql: `SELECT bid.auction, bid.bidder, bid.price, bid.date_time, side_input.value
      FROM bid JOIN side_input ON bid.auction % 10000 = side_input.key`,
  },
  {
    name: "q14",
    sql: `SELECT auction, bidder, 0.908 * price AS price,
        CASE WHEN extract(hour FROM date_time) BETWEEN 8 AND 18 THEN 'dayTime'
             WHEN extract(hour FROM date_time) <= 6 OR extract(hour FROM date_time) >= 20 THEN 'nightTime'
             ELSE 'otherTime' END AS bid_time_type,
        date_time, extra, length(extra) - length(replace(extra, 'c', '')) AS c_counts
      FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000`,
  },
  {
    name: "q15",
    flink: 72_000,
    sql: `SELECT to_char(date_time, 'YYYY-MM-DD') AS day, count(*) AS total_bids, ${ranks}, ${distinctRanks("bidder")}, ${distinctRanks("auction")}
      FROM bid GROUP BY day`,
  },
  {
    name: "q16",
    flink: 19_000,
    sql: `SELECT channel, to_char(date_time, 'YYYY-MM-DD') AS day, max(to_char(date_time, 'HH24:MI')) AS minute, count(*) AS total_bids, ${ranks},
        ${distinctRanks("bidder")}, ${distinctRanks("auction")}
      FROM bid GROUP BY channel, day`,
  },
  {
    name: "q17",
    flink: 117_000,
    sql: `SELECT auction, to_char(date_time, 'YYYY-MM-DD') AS day, count(*) AS total_bids, ${ranks},
        min(price) AS min_price, max(price) AS max_price, avg(price) AS avg_price, sum(price) AS sum_price
      FROM bid GROUP BY auction, day`,
  },
  {
    name: "q18",
    flink: 54_000,
    sql: `SELECT auction, bidder, price, channel, url, date_time, extra FROM (
        SELECT *, row_number() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC) AS place FROM bid
      ) AS bids WHERE place <= 1`,
  },
  {
    name: "q19",
    sql: `SELECT * FROM (
        SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC, date_time) AS place FROM bid
      ) AS bids WHERE place <= 10`,
  },
  {
    name: "q20",
    flink: 19_000,
    sql: `SELECT bid.auction, bid.bidder, bid.price, bid.channel, bid.url, bid.date_time, bid.extra, auction.item_name, auction.description,
        auction.initial_bid, auction.reserve, auction.date_time AS opened, auction.expires, auction.seller, auction.category, auction.extra AS auction_extra
      FROM bid JOIN auction ON bid.auction = auction.id WHERE auction.category = 10`,
  },
  {
    name: "q21",
    sql: `SELECT auction, bidder, price, channel,
        CASE lower(channel) WHEN 'apple' THEN '0' WHEN 'google' THEN '1' WHEN 'facebook' THEN '2' WHEN 'baidu' THEN '3'
          ELSE (regexp_match(url, '(&|^)channel_id=([^&]*)'))[2] END AS channel_id
      FROM bid
      WHERE (regexp_match(url, '(&|^)channel_id=([^&]*)'))[2] IS NOT NULL OR lower(channel) IN ('apple', 'google', 'facebook', 'baidu')`,
  },
  {
    name: "q22",
    sql: `SELECT auction, bidder, price, channel, split_part(url, '/', 4) AS dir1, split_part(url, '/', 5) AS dir2, split_part(url, '/', 6) AS dir3
      FROM bid`,
  },
];
