import assert from "node:assert/strict";
import { test } from "node:test";
import { JoinedText } from "../src/joined";

const WHOLE = "Grüße — the state is kept in `count`. 🦀 Done.\n";

test("live pieces and stored pieces give the text once, in any order", () => {
  const characters = [...WHOLE];
  for (let seed = 1; seed <= 200; seed += 1) {
    let random = seed;
    const next = (below: number): number => {
      random = (random * 1103515245 + 12345) % 2147483648;
      return random % below;
    };
    const pieces: { offset: number; text: string }[] = [];
    for (const most of [3, 11]) {
      let offset = 0;
      for (let at = 0; at < characters.length; ) {
        const text = characters.slice(at, at + 1 + next(most)).join("");
        pieces.push({ offset, text });
        at += [...text].length;
        offset += Buffer.byteLength(text);
      }
    }
    for (let at = pieces.length - 1; at > 0; at -= 1) {
      const other = next(at + 1);
      [pieces[at], pieces[other]] = [pieces[other]!, pieces[at]!];
    }
    const joined = new JoinedText();
    for (const piece of pieces) joined.add(piece.offset, piece.text);
    assert.equal(joined.toString(), WHOLE, `seed ${seed}`);
  }
});

test("text after a gap is shown when the gap is filled, and not before", () => {
  const joined = new JoinedText();
  assert.equal(joined.add(0, "one "), true);
  assert.equal(joined.add(8, "three"), false);
  assert.equal(joined.toString(), "one ");
  assert.equal(joined.add(0, "one two "), true);
  assert.equal(joined.toString(), "one two three");
});

test("nonsense is ignored", () => {
  const joined = new JoinedText();
  for (const offset of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60]) joined.add(offset, "x");
  assert.equal(joined.toString(), "");
});
