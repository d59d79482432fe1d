/** A progress bar on a terminal; nothing anywhere else. */
import { SingleBar } from "cli-progress";

export interface Progress {
  /** `bytes` read of the source, `rows` sent. */
  advance(bytes: number, rows: number): void;
  stop(): void;
}

const silent: Progress = { advance() {}, stop() {} };

export function startProgress(title: string, total: number | undefined, unit: "bytes" | "rows"): Progress {
  if (!process.stdout.isTTY || !process.stderr.isTTY) return silent;
  const format =
    total === undefined
      ? "{title}  {rows} rows  {rate}/s"
      : "{title}  {bar} {percentage} %  {rows} rows  {rate}/s";
  const bar = new SingleBar({
    stream: process.stderr,
    format,
    hideCursor: true,
    clearOnComplete: false,
    fps: 10,
  });
  const number = new Intl.NumberFormat("en");
  const started = performance.now();
  let done = 0;
  let rows = 0;
  const payload = () => {
    const seconds = Math.max(0.001, (performance.now() - started) / 1000);
    return { title, rows: number.format(rows), rate: number.format(Math.round(rows / seconds)) };
  };
  bar.start(total ?? 1, 0, payload());
  return {
    advance(bytes, more) {
      rows += more;
      done += unit === "bytes" ? bytes : more;
      bar.update(total === undefined ? 0 : Math.min(done, total), payload());
    },
    stop() {
      bar.update(total === undefined ? 1 : Math.min(done, total), payload());
      bar.stop();
    },
  };
}

/** Bars for work of several stages, each known by the unit it is counted in. */
export function stages(titles: Readonly<Record<"bytes" | "rows", string>>): {
  readonly at: (done: number, total: number, unit: "bytes" | "rows") => void;
  readonly stop: () => void;
} {
  let bar: { readonly unit: string; readonly progress: Progress } | null = null;
  let before = 0;
  return {
    at(done, total, unit) {
      if (bar?.unit !== unit) {
        bar?.progress.stop();
        bar = { unit, progress: startProgress(titles[unit], total, unit) };
        before = 0;
      }
      bar.progress.advance(unit === "bytes" ? done - before : 0, unit === "rows" ? done - before : 0);
      before = done;
    },
    stop() {
      bar?.progress.stop();
      bar = null;
    },
  };
}
