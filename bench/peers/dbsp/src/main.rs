//! Nexmark's q0, q3, q4, q7 and q18 in Feldera's dbsp, over the events of bench/nexmark/event-file.ts.
//!
//!   evert-bench-dbsp EVENTS JOB TURNS ANSWER
//!
//! One worker thread. A round of the file is one transaction: its rows are in vectors before the clock starts; in the time are the appends to the
//! inputs, the transaction, and taking the changes of the answer, which are added up after it. Every turn makes a new circuit and takes all rounds.
//! The answer's rows, a line each, go into the file ANSWER; events per second of each turn go to standard output, as JSON.
use std::{collections::HashMap, env, fs, time::Instant};

use anyhow::{Result, anyhow};
use dbsp::{
    OrdZSet, OutputHandle, RootCircuit, Runtime, Stream, ZSetHandle, ZWeight, operator::Max,
    typed_batch::IndexedZSetReader, utils::{Tup2, Tup3, Tup4, Tup5, Tup7},
};

const WINDOW_US: i64 = 10_000_000;
/// 2015-07-15, where windows begin to be counted.
const ORIGIN_US: i64 = 1_436_918_400_000_000;

/// id, name, city, state
type Person = Tup4<i64, String, String, String>;
/// id, date_time, expires, seller, category
type Auction = Tup5<i64, i64, i64, i64, i64>;
/// auction, bidder, price, channel, url, date_time, extra
type Bid = Tup7<i64, i64, i64, String, String, i64, String>;
/// The answer: a line for each row would be text to format within the time, so each job has a type of its own.
type Rows<T> = OutputHandle<OrdZSet<T>>;

#[derive(Clone, Default)]
struct Round {
    people: Vec<Tup2<Person, ZWeight>>,
    auctions: Vec<Tup2<Auction, ZWeight>>,
    bids: Vec<Tup2<Bid, ZWeight>>,
}

struct Inputs {
    people: ZSetHandle<Person>,
    auctions: ZSetHandle<Auction>,
    bids: ZSetHandle<Bid>,
}

struct Streams {
    people: Stream<RootCircuit, OrdZSet<Person>>,
    auctions: Stream<RootCircuit, OrdZSet<Auction>>,
    bids: Stream<RootCircuit, OrdZSet<Bid>>,
}

fn window(time: i64) -> i64 {
    (time - ORIGIN_US).div_euclid(WINDOW_US)
}

// ---- the jobs -----------------------------------------------------------------------------------------------------

fn q0(s: &Streams) -> Rows<Tup5<i64, i64, i64, i64, String>> {
    s.bids
        .map(|b| Tup5(b.0, b.1, b.2, b.5, b.6.clone()))
        .output()
}

fn q3(s: &Streams) -> Rows<Tup4<String, String, String, i64>> {
    let people = s
        .people
        .filter(|p| p.3 == "OR" || p.3 == "ID" || p.3 == "CA")
        .map_index(|p| (p.0, Tup3(p.1.clone(), p.2.clone(), p.3.clone())));
    let auctions = s.auctions.filter(|a| a.4 == 10).map_index(|a| (a.3, a.0));
    auctions
        .join(&people, |_, auction, p| Tup4(p.0.clone(), p.1.clone(), p.2.clone(), *auction))
        .output()
}

/// Category, sum and number of the highest bids.
fn q4(s: &Streams) -> Rows<Tup3<i64, i64, i64>> {
    let auctions = s.auctions.map_index(|a| (a.0, Tup3(a.1, a.2, a.4)));
    let bids = s.bids.map_index(|b| (b.0, Tup2(b.2, b.5)));
    auctions
        .join_index(&bids, |id, a, b| {
            let during = b.1 >= a.0 && b.1 <= a.1;
            during.then_some((Tup2(*id, a.2), b.0))
        })
        .aggregate(Max)
        .map_index(|(group, price)| (group.1, *price))
        .aggregate_linear_postprocess(|price| Tup2(*price, 1_i64), |totals| totals)
        .map(|(category, totals)| Tup3(*category, totals.0, totals.1))
        .output()
}

fn q7(s: &Streams) -> Rows<Tup5<i64, i64, i64, i64, String>> {
    let highest = s
        .bids
        .map_index(|b| (window(b.5), b.2))
        .aggregate(Max)
        .map_index(|(starts, price)| (Tup2(*starts, *price), ()));
    s.bids
        .map_index(|b| (Tup2(window(b.5), b.2), Tup4(b.0, b.1, b.5, b.6.clone())))
        .join(&highest, |key, b, ()| Tup5(b.0, key.1, b.1, b.2, b.3.clone()))
        .output()
}

fn q18(s: &Streams) -> Rows<Bid> {
    s.bids
        .map_index(|b| {
            let last = Tup5(b.5, b.2, b.3.clone(), b.4.clone(), b.6.clone());
            (Tup2(b.1, b.0), last)
        })
        .topk_desc(1)
        .map(|(key, b)| Tup7(key.1, key.0, b.1, b.2.clone(), b.3.clone(), b.0, b.4.clone()))
        .output()
}

// ---- running them -------------------------------------------------------------------------------------------------

/// Events per second of each turn, and the answer's lines.
fn run<T>(
    rounds: &[Round],
    turns: usize,
    job: fn(&Streams) -> Rows<T>,
    line: fn(&T) -> String,
) -> Result<(Vec<f64>, Vec<String>)>
where
    T: dbsp::DBData,
    T::Repr: Ord,
    <T as dbsp::storage::file::Deserializable>::ArchivedDeser: Ord,
{
    let events: usize = rounds.iter().map(|r| r.people.len() + r.auctions.len() + r.bids.len()).sum();
    let mut rates = Vec::new();
    let mut lines = Vec::new();
    for _ in 0..turns {
        let mut given = rounds.to_vec();
        let (mut circuit, (inputs, answer)) = Runtime::init_circuit(1, move |circuit| {
            let (people, people_in) = circuit.add_input_zset::<Person>();
            let (auctions, auctions_in) = circuit.add_input_zset::<Auction>();
            let (bids, bids_in) = circuit.add_input_zset::<Bid>();
            let streams = Streams { people, auctions, bids };
            let inputs = Inputs { people: people_in, auctions: auctions_in, bids: bids_in };
            Ok((inputs, job(&streams)))
        })?;
        let mut changes = Vec::with_capacity(given.len());
        let started = Instant::now();
        for round in &mut given {
            inputs.people.append(&mut round.people);
            inputs.auctions.append(&mut round.auctions);
            inputs.bids.append(&mut round.bids);
            circuit.transaction()?;
            changes.push(answer.consolidate());
        }
        rates.push(events as f64 / started.elapsed().as_secs_f64());
        circuit.kill().map_err(|_| anyhow!("the circuit's thread ended in a panic"))?;
        let mut rows: HashMap<T, ZWeight> = HashMap::new();
        for batch in &changes {
            for (row, (), weight) in batch.iter() {
                *rows.entry(row).or_default() += weight;
            }
        }
        lines.clear();
        for (row, weight) in &rows {
            for _ in 0..*weight {
                lines.push(line(row));
            }
        }
    }
    Ok((rates, lines))
}

fn read(path: &str) -> Result<Vec<Round>> {
    let mut rounds = vec![Round::default()];
    for line in fs::read_to_string(path)?.lines() {
        let f: Vec<&str> = line.split('\t').collect();
        let round = rounds.last_mut().ok_or_else(|| anyhow!("no round"))?;
        let int = |i: usize| f[i].parse::<i64>();
        let text = |i: usize| f[i].to_string();
        match f[0] {
            "person" => round.people.push(Tup2(Tup4(int(1)?, text(2), text(5), text(6)), 1)),
            "auction" => round.auctions.push(Tup2(Tup5(int(1)?, int(6)?, int(7)?, int(8)?, int(9)?), 1)),
            "bid" => round.bids.push(Tup2(
                Tup7(int(1)?, int(2)?, int(3)?, text(4), text(5), int(6)?, text(7)),
                1,
            )),
            "end" => rounds.push(Round::default()),
            other => return Err(anyhow!("an unknown kind of line: {other}")),
        }
    }
    rounds.retain(|r| !(r.people.is_empty() && r.auctions.is_empty() && r.bids.is_empty()));
    Ok(rounds)
}

fn five(b: &Tup5<i64, i64, i64, i64, String>) -> String {
    format!("{}|{}|{}|{}|{}", b.0, b.1, b.2, b.3, b.4)
}

fn main() -> Result<()> {
    let args: Vec<String> = env::args().collect();
    let [_, events, job, turns, answer] = args.as_slice() else {
        return Err(anyhow!("usage: evert-bench-dbsp EVENTS JOB TURNS ANSWER"));
    };
    let rounds = read(events)?;
    let turns = turns.parse()?;
    let (rates, lines) = match job.as_str() {
        "q0" => run(&rounds, turns, q0, five)?,
        "q3" => run(&rounds, turns, q3, |r| format!("{}|{}|{}|{}", r.0, r.1, r.2, r.3))?,
        "q4" => run(&rounds, turns, q4, |r| format!("{}|{}", r.0, r.1 as f64 / r.2 as f64))?,
        "q7" => run(&rounds, turns, q7, five)?,
        "q18" => run(&rounds, turns, q18, |b| {
            format!("{}|{}|{}|{}|{}|{}|{}", b.0, b.1, b.2, b.3, b.4, b.5, b.6)
        })?,
        other => return Err(anyhow!("an unknown job: {other}")),
    };
    fs::write(answer, lines.join("\n"))?;
    println!("{{\"rates\":{rates:?}}}");
    Ok(())
}
