/**
 * The text of an answer, joined by offset from two sources: live pieces, which may be dropped, and stored ones, which
 * come later and leave no gaps. Pure.
 */

const MOST_BYTES = 4 * 1024 * 1024;
const MOST_WAITING = 4096;

export class JoinedText {
  private bytes: Buffer = Buffer.alloc(0);
  private length = 0;
  private waiting = new Map<number, Buffer>();

  /** Adds a piece that starts at `offset` (UTF-8 bytes). Returns whether the text became longer. */
  add(offset: number, piece: string): boolean {
    if (!Number.isSafeInteger(offset) || offset < 0 || piece === "") return false;
    const bytes = Buffer.from(piece, "utf8");
    if (offset + bytes.length > MOST_BYTES) return false;
    if (offset > this.length) {
      const known = this.waiting.get(offset);
      if (this.waiting.size < MOST_WAITING && (known === undefined || known.length < bytes.length)) {
        this.waiting.set(offset, bytes);
      }
      return false;
    }
    const before = this.length;
    this.append(offset, bytes);
    this.takeWaiting();
    return this.length > before;
  }

  /** The text from its start up to the first gap. */
  toString(): string {
    return this.bytes.toString("utf8", 0, this.length);
  }

  private append(offset: number, piece: Buffer): void {
    const fresh = piece.subarray(this.length - offset);
    if (fresh.length === 0) return;
    const needed = this.length + fresh.length;
    if (needed > this.bytes.length) {
      const roomier = Buffer.alloc(Math.max(needed, this.bytes.length * 2, 1024));
      this.bytes.copy(roomier, 0, 0, this.length);
      this.bytes = roomier;
    }
    fresh.copy(this.bytes, this.length);
    this.length = needed;
  }

  private takeWaiting(): void {
    for (let again = true; again; ) {
      again = false;
      for (const [offset, piece] of this.waiting) {
        if (offset > this.length) continue;
        this.waiting.delete(offset);
        if (offset + piece.length > this.length) {
          this.append(offset, piece);
          again = true;
        }
      }
    }
  }
}
