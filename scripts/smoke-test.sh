#!/usr/bin/env bash
# Packs the package, installs the tarball in an empty folder, and uses it there as a stranger would.
set -euo pipefail
cd "$(dirname "$0")/.."
root="$PWD"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

# dist/ is built by now; packing must not build it again.
tarball="$(npm pack --ignore-scripts --silent --pack-destination "$folder")"
printf 'packed %s: %s files, %s bytes\n' "$tarball" "$(tar -tzf "$folder/$tarball" | wc -l)" "$(wc -c <"$folder/$tarball")"
cd "$folder"
npm init --yes >/dev/null
npm install --silent "./$tarball"

version="$(npx --no-install evert --version)"
expected="$(node -p "require('$root/package.json').version")"
[ "$version" = "$expected" ] || { echo "evert --version printed '$version', not '$expected'" >&2; exit 1; }
echo "npx evert --version: $version"

cat >program.mjs <<'JS'
import { count, int4, open, table, text, topic, view } from "evert";
const songs = table("songs", { key: "id", schema: { id: int4, name: text } });
const plays = topic("plays", { schema: { song_id: int4 } });
const charts = view("charts", plays.join(songs, (p) => p.song_id, (_, song) => song).groupBy((s) => s.name, { plays: count() }));
const db = await open({ dir: "data", topics: [songs, plays], views: [charts] });
await db.append(songs, { id: 1, name: "One" });
const { position } = await db.append(plays, [{ song_id: 1 }, { song_id: 1 }]);
console.log(JSON.stringify(await db.view(charts).get("One", { atLeast: position })));
await db.close();
JS
printed="$(node program.mjs)"
[ "$printed" = '{"name":"One","plays":2}' ] || { echo "the program printed '$printed'" >&2; exit 1; }
echo "a ten-line program: $printed"

node_modules/.bin/evert start --data served --port 0 >listening 2>server.log &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
until grep -q "^evert listening on " listening; do
  kill -0 "$server" || { cat server.log >&2; exit 1; }
  sleep 0.1
done
EVERT_URL="$(sed 's/^evert listening on //' listening)"
export EVERT_URL
npx --no-install evert query "CREATE TABLE songs (id int PRIMARY KEY, name text)" >/dev/null
printf 'id,name\n1,One\n' | npx --no-install evert append songs >/dev/null
printed="$(npx --no-install evert query "SELECT name FROM songs" --format csv | tail -n 1)"
[ "$printed" = One ] || { echo "the command printed '$printed'" >&2; exit 1; }
kill -TERM "$server"
wait "$server" || { echo "the server ended with $?" >&2; cat server.log >&2; exit 1; }
npx --no-install evert check --data served
echo "the command: start, append, query, stop, check"
