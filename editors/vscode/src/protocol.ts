/**
 * What the server and this extension say to each other beyond plain LSP: server/lsp/PROTOCOL.md as types. Whatever
 * arrives is read field by field, so that a server of another age is a nuisance and not a crash.
 */

export type Intent = "ask" | "rewrite" | "fix" | "explain" | "test" | "document" | "build";

/** A range as LSP has it, in the negotiated position encoding. */
export interface LspRange {
  start: { line: number; character: number };
  end: { line: number; character: number };
}

/** The argument of `assist.ask`. */
export interface AskParams {
  intent: Intent;
  prompt?: string;
  uri?: string;
  version?: number;
  range?: LspRange;
  diagnostics?: unknown[];
  conversationId?: string;
}

/** The answer to `assist.ask`. */
export interface AskResult {
  runId: string;
  conversationId: string;
}

/** `assist/event`: an event of a run, told after it was stored. */
export interface RunEvent {
  run: string;
  seq: number;
  ts: string;
  type: string;
  data: Record<string, unknown>;
}

/** `assist/delta`: text of an answer as it arrives. The offset counts UTF-8 bytes within the message. */
export interface Delta {
  run: string;
  messageId: string;
  offset: number;
  text: string;
}

/** The answer to `assist/status`. */
export interface ServerStatus {
  ready: boolean;
  provider?: string;
  model?: string;
  problem?: string;
  fix?: string;
  root?: string;
  version?: string;
}

/** A row of `assist/sessions`. */
export interface SessionRow {
  runId: string;
  task: string;
  intent: string;
  status: string;
  reason?: string;
  createdAt: string;
  updatedAt: string;
  summary?: string;
  error?: string;
  changedFiles: string[];
}

/** A run that has not ended: a row of `assist/runs` and `assist/resting`. */
export interface RunRow {
  runId: string;
  task: string;
  intent: string;
  status: string;
  reason?: string;
  createdAt: number;
  updatedAt: number;
  /** Whether this window's server works on it. */
  here: boolean;
  /** The live process that works on it, where it is another. */
  owner?: string;
}

/** Why the server refused a command. */
export interface Refusal {
  kind: string;
  message: string;
  fix?: string;
}

type Fields = Record<string, unknown>;

export function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A point in time as the server writes it (RFC 3339 text, or milliseconds since 1970), as RFC 3339 text. */
function time(value: unknown): string {
  if (typeof value === "number" && Number.isFinite(value) && Math.abs(value) < 8.64e15) return new Date(value).toISOString();
  return text(value) ?? "";
}

export function readEvent(value: unknown): RunEvent | undefined {
  const event = fields(value);
  const run = text(event.run);
  const type = text(event.type);
  if (run === undefined || type === undefined) return undefined;
  return { run, type, seq: Number(event.seq) || 0, ts: time(event.ts), data: fields(event.data) };
}

export function readDelta(value: unknown): Delta | undefined {
  const delta = fields(value);
  const run = text(delta.run);
  const messageId = text(delta.messageId);
  if (run === undefined || messageId === undefined || typeof delta.offset !== "number") return undefined;
  if (typeof delta.text !== "string") return undefined;
  return { run, messageId, offset: delta.offset, text: delta.text };
}

export function readStatus(value: unknown): ServerStatus {
  const status = fields(value);
  const read: ServerStatus = { ready: status.ready === true };
  for (const name of ["provider", "model", "problem", "fix", "root", "version"] as const) {
    const found = text(status[name]);
    if (found !== undefined) read[name] = found;
  }
  return read;
}

export function readSessions(value: unknown): SessionRow[] {
  const rows = fields(value).sessions;
  if (!Array.isArray(rows)) return [];
  return rows.flatMap((row: unknown) => {
    const session = fields(row);
    const runId = text(session.runId);
    if (runId === undefined) return [];
    const read: SessionRow = {
      runId,
      task: text(session.task) ?? "",
      intent: text(session.intent) ?? "",
      status: text(session.status) ?? "",
      createdAt: time(session.createdAt),
      updatedAt: time(session.updatedAt),
      changedFiles: strings(session.changedFiles),
    };
    for (const name of ["reason", "summary", "error"] as const) {
      const found = text(session[name]);
      if (found !== undefined) read[name] = found;
    }
    return [read];
  });
}

/** The rows of `assist/runs` or `assist/resting`. */
export function readRuns(value: unknown): RunRow[] {
  const rows = fields(value).runs;
  if (!Array.isArray(rows)) return [];
  return rows.flatMap((row: unknown) => {
    const run = fields(row);
    const runId = text(run.runId);
    if (runId === undefined) return [];
    const read: RunRow = {
      runId,
      task: text(run.task) ?? "",
      intent: text(run.intent) ?? "",
      status: text(run.status) ?? "",
      createdAt: Number(run.createdAt) || 0,
      updatedAt: Number(run.updatedAt) || 0,
      here: run.here === true,
    };
    for (const name of ["reason", "owner"] as const) {
      const found = text(run[name]);
      if (found !== undefined) read[name] = found;
    }
    return [read];
  });
}

/** How long ago a time was, in words; the time is RFC 3339 text or milliseconds since 1970. */
export function ago(time: string | number, now = Date.now()): string {
  const seconds = (now - (typeof time === "number" ? time : Date.parse(time))) / 1000;
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 60) return "just now";
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]] as const) {
    const count = Math.floor(seconds / size);
    if (count >= 1) return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
  }
  return "";
}

export function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}

/** What is wrong, out of an error that a request to the server ended with. */
export function readRefusal(error: unknown): Refusal {
  const failure = fields(error);
  const data = fields(failure.data);
  const refusal: Refusal = {
    kind: text(data.kind) ?? "",
    message: text(failure.message) ?? (error instanceof Error ? error.message : String(error)),
  };
  const fix = text(data.fix);
  if (fix !== undefined) refusal.fix = fix;
  return refusal;
}

/** A refusal as one line for the user, the fix said once. */
export function sentence(refusal: Refusal): string {
  const { message, fix } = refusal;
  if (fix === undefined || message.includes(fix)) return message;
  return `${message.replace(/[.\s]+$/, "")}. ${fix.charAt(0).toUpperCase()}${fix.slice(1)}`;
}

/** Whether `assist.ask` needs words from the user before it can be sent (see "Code actions" in PROTOCOL.md). */
export function needsPrompt(params: AskParams): boolean {
  return text(params.prompt) === undefined && ["ask", "rewrite", "build"].includes(params.intent);
}
