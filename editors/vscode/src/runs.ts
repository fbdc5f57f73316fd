/**
 * The runs this window has heard of: what they are about, how they stand, and what they said. Most are told by their events; of those that
 * work elsewhere only the server's list tells, until they are followed. Of what both say the newer counts.
 */

import * as vscode from "vscode";
import { JoinedText } from "./joined";
import { type Delta, type Intent, type RunEvent, type RunRow, fields, strings, text } from "./protocol";

/** What the user sees a run as. */
export type Standing = "working" | "asking" | "paused" | "ended";

export interface Run {
  readonly id: string;
  /** What was asked, in a few words. */
  title: string;
  intent: Intent | undefined;
  standing: Standing;
  /** The state as the server calls it. */
  state: string;
  message: string;
  /** What the user is asked, while the run waits for it. */
  question: Question | undefined;
  summary: string;
  changedFiles: string[];
  /** Whether a plan was shown for it. */
  planned: boolean;
  /** Whether it was asked for in this window. */
  intentional: boolean;
  conversationId: string | undefined;
  readonly messages: Map<string, JoinedText>;
  /** When it was begun, in milliseconds since 1970. */
  began: number;
  /** What the server's list says of it, while it has not ended. */
  row: RunRow | undefined;
  /** The number of the last event that was heard, and its time; 0 where none was. */
  seq: number;
  heard: number;
  /** While what had happened is told again: up to which event, or Infinity until that is known. */
  replaying: number | undefined;
  /** Whether it works in another process and is watched here. */
  followed: boolean;
}

/** A question: the first choice says yes, the last one no. Without choices it wants words. */
export interface Question {
  text: string;
  detail: string | undefined;
  choices: string[];
  /** How many steps the plan has that is asked about; 0 where it is no plan. */
  steps: number;
  /** What can become of the plan's work when it is done. None of it is ticked by itself. */
  boxes: Box[];
}

/** What can become of work that is done. */
export interface Box {
  what: "commit" | "push" | "deploy";
  /** Markdown, one line. */
  label: string;
  /** What has to be ticked with it. */
  needs: Box["what"] | undefined;
}

/** What an event did to its run. */
export interface Change {
  run: Run;
  event: RunEvent | undefined;
  /** Everything that had happened has been told again. */
  caughtUp?: boolean;
}

const REMEMBERED = 40;

export class Runs implements vscode.Disposable {
  private readonly runs = new Map<string, Run>();
  private readonly changed = new vscode.EventEmitter<Change>();
  readonly onDidChange = this.changed.event;
  private readonly listed = new vscode.EventEmitter<void>();
  /** The server's list has come anew. */
  readonly onDidList = this.listed.event;

  get(id: string): Run | undefined {
    return this.runs.get(id);
  }

  /** Newest first. */
  all(): Run[] {
    return [...this.runs.values()].reverse();
  }

  /** Those of this window, and those it follows, that still work or wait; newest first. */
  open(): Run[] {
    return this.live().filter((run) => run.heard > 0 || run.intentional);
  }

  /** All that work or wait, wherever they do; newest first. */
  live(): Run[] {
    return this.all().filter((run) => run.standing === "working" || run.standing === "asking");
  }

  /** Those that rest, newest first. */
  resting(): Run[] {
    return this.all().filter((run) => run.standing === "paused");
  }

  /** Takes in the server's list of all runs that have not ended. */
  list(rows: RunRow[]): void {
    const present = new Set<string>();
    for (const row of [...rows].sort((a, b) => a.createdAt - b.createdAt)) {
      present.add(row.runId);
      this.entry(row.runId).row = row;
    }
    this.know(rows);
    for (const [id, run] of this.runs) {
      if (run.row === undefined || present.has(id)) continue;
      run.row = undefined;
      if (run.heard === 0) this.runs.delete(id);
      else if (run.standing === "paused") this.stand(run, "stopped");
    }
    this.listed.fire();
  }

  /** Takes in runs that were named before the list came. */
  know(rows: RunRow[]): void {
    for (const row of rows) {
      const run = this.entry(row.runId);
      run.row ??= row;
      run.title ||= row.task;
      run.intent ??= row.intent === "" ? undefined : (row.intent as Intent);
      run.began = row.createdAt || run.began;
      if (row.updatedAt > run.heard) this.stand(run, row.status);
    }
    this.listed.fire();
  }

  /** What had happened is about to be told again. */
  replay(run: Run): void {
    run.followed = true;
    run.replaying = Infinity;
  }

  /** What is told again ends with the event of this number. */
  replayUntil(run: Run, last: number): void {
    run.replaying = last;
    this.settle(run);
  }

  private settle(run: Run): void {
    if (run.replaying === undefined || run.seq < run.replaying) return;
    run.replaying = undefined;
    this.changed.fire({ run, event: undefined, caughtUp: true });
  }

  /** Tells what a run is about; its events may have come before. */
  begin(id: string, title: string, intent: Intent, conversationId: string | undefined): Run {
    const run = this.entry(id);
    run.intentional = true;
    run.title = title;
    run.intent = intent;
    run.conversationId = conversationId;
    this.changed.fire({ run, event: undefined });
    return run;
  }

  event(event: RunEvent): void {
    const run = this.entry(event.run);
    const { data } = event;
    run.seq = Math.max(run.seq, event.seq);
    run.heard = Math.max(run.heard, Date.parse(event.ts) || 1);
    switch (event.type) {
      case "status": {
        const state = text(data.state);
        if (state !== undefined) this.stand(run, state);
        run.message = text(data.message) ?? run.message;
        break;
      }
      case "approval_requested":
        run.standing = "asking";
        run.question = { text: text(data.question) ?? "May Assist go on?", detail: text(data.detail), choices: strings(data.choices), steps: stepsOf(data.plan), boxes: boxesOf(data) };
        run.planned ||= run.question.steps > 0;
        break;
      case "text":
        this.say(run, data.messageId, data.offset, data.text);
        break;
      case "completed":
        this.stand(run, text(data.state) ?? "done");
        run.summary = text(data.summary) ?? "";
        run.changedFiles = strings(data.changedFiles);
        break;
    }
    this.changed.fire({ run, event });
    this.settle(run);
    if (run.replaying === undefined && (run.standing === "ended" || run.standing === "paused")) run.followed = false;
  }

  delta(delta: Delta): void {
    const run = this.entry(delta.run);
    if (this.say(run, delta.messageId, delta.offset, delta.text)) this.changed.fire({ run, event: undefined });
  }

  /** The server is gone: whatever was under way is no longer, and comes back as a paused session. */
  interrupt(): void {
    for (const run of this.live()) {
      if (run.heard === 0 && !run.intentional) this.runs.delete(run.id);
      this.stand(run, "paused");
      this.changed.fire({ run, event: undefined });
    }
  }

  /** All that a run said. */
  answer(run: Run): string {
    return [...run.messages.values()].map(String).filter((part) => part.trim() !== "").join("\n\n");
  }

  dispose(): void {
    this.listed.dispose();
    this.changed.dispose();
  }

  private stand(run: Run, state: string): void {
    run.state = state;
    if (state === "pending" || state === "running") run.standing = "working";
    else if (state === "awaiting_confirmation") run.standing = "asking";
    else if (state === "paused") run.standing = "paused";
    else run.standing = "ended";
    if (run.standing !== "asking") run.question = undefined;
  }

  private say(run: Run, messageId: unknown, offset: unknown, piece: unknown): boolean {
    const id = text(messageId);
    if (id === undefined || typeof offset !== "number" || typeof piece !== "string") return false;
    let joined = run.messages.get(id);
    if (joined === undefined) {
      joined = new JoinedText();
      run.messages.set(id, joined);
    }
    return joined.add(offset, piece);
  }

  private entry(id: string): Run {
    const known = this.runs.get(id);
    if (known !== undefined) return known;
    const run: Run = {
      id,
      title: "",
      intent: undefined,
      standing: "working",
      state: "running",
      message: "",
      question: undefined,
      summary: "",
      changedFiles: [],
      planned: false,
      intentional: false,
      conversationId: undefined,
      messages: new Map(),
      began: Date.now(),
      row: undefined,
      seq: 0,
      heard: 0,
      replaying: undefined,
      followed: false,
    };
    this.runs.set(id, run);
    for (const [old, { standing }] of this.runs) {
      if (this.runs.size <= REMEMBERED) break;
      if (standing === "ended") this.runs.delete(old);
    }
    return run;
  }
}

function stepsOf(plan: unknown): number {
  const { steps } = fields(plan);
  return Array.isArray(steps) ? steps.length : 0;
}

function boxesOf(data: Record<string, unknown>): Box[] {
  const names = ["commit", "push", "deploy"] as const;
  return names.flatMap((what): Box[] => {
    const offered = fields(data[what]);
    const label = text(offered.label);
    if (label === undefined) return [];
    const needs = what === "push" ? "commit" : what === "deploy" && offered.needsPush === true ? "push" : undefined;
    return [{ what, label, needs }];
  });
}

/** What an event says, in one line for the log of a run. */
export function line(event: RunEvent): string {
  const { data } = event;
  const where = [text(data.component), text(data.path)].filter(Boolean).join(" in ");
  const join = (...parts: (string | undefined)[]): string => parts.filter((part) => part !== undefined && part !== "").join(": ");
  switch (event.type) {
    case "text":
      return "";
    case "command":
      return commandLine(data);
    case "tool":
      return join(text(data.tool), text(data.about), data.state === "done" ? undefined : text(data.state), text(data.message));
    case "memory":
      return join(text(data.change), text(data.key), text(data.value));
    case "delivery":
      return join(text(data.what), text(data.message));
    case "agent_started":
    case "agent_completed":
      return join(text(data.agent), where);
    case "agent_failed":
      return join(text(data.agent), where, text(data.reason));
    case "status":
      return join(text(data.state), text(data.reason), text(data.message));
    case "component_verified":
    case "component_applied":
      return join(where, text(data.verdict));
    case "component_refused": {
      const reasons = Array.isArray(data.reasons)
        ? data.reasons.map((reason: unknown) => text(reason) ?? text(fields(reason).message) ?? "").filter(Boolean)
        : [];
      return join(where, text(data.verdict), reasons.join("; "));
    }
    case "truncated":
      return join(where, `${text(data.cause) ?? "cut"} after ${Number(data.receivedBytes) || 0} bytes`);
    case "continued":
      return join(where, `joined at ${Number(data.anchorBytes) || 0} repeated bytes`);
    case "approval_requested":
      return join(text(data.question));
    case "budget": {
      const cost = typeof data.costUsd === "number" ? `, $${data.costUsd.toFixed(4)}` : "";
      const guess = data.estimated === true ? " (estimated)" : "";
      return join(text(data.model), `${Number(data.inputTokens) || 0} tokens in, ${Number(data.outputTokens) || 0} out${cost}${guess}`);
    }
    case "completed":
      return join(text(data.state), text(data.summary), strings(data.changedFiles).join(", ")).replaceAll(".: ", ". ");
    default:
      return JSON.stringify(data);
  }
}

/** What a command does, as a terminal would show it. */
function commandLine(data: Record<string, unknown>): string {
  const command = text(data.command) ?? "";
  switch (data.state) {
    case "started":
      return `$ ${command}`;
    case "output":
      return typeof data.text === "string" ? data.text.replace(/\n$/, "") : "";
    case "ended": {
      const seconds = typeof data.milliseconds === "number" ? ` after ${(data.milliseconds / 1000).toFixed(1)} s` : "";
      return typeof data.code === "number" ? `${command} ended with code ${data.code}${seconds}` : `${command} was ended${seconds}`;
    }
    default:
      return [command, text(data.state), text(data.message)].filter(Boolean).join(": ");
  }
}

/** Why a run rests, in words. */
export function why(reason: string | undefined): string {
  const reasons: Record<string, string> = {
    editor_closed: "its editor was closed",
    crash: "it was cut off",
    budget: "its budget was reached",
    user: "you asked it to rest",
  };
  return reasons[reason ?? ""] ?? "it can go on";
}

/** How a run stands, in a few words. */
export function words(run: Run): string {
  const elsewhere = run.row?.owner !== undefined && !run.row.here ? ` in ${place(run.row.owner)}` : "";
  switch (run.standing) {
    case "working":
      return (run.state === "pending" ? "waits for its turn" : "at work") + elsewhere;
    case "asking":
      return `asks you${elsewhere}`;
    case "paused":
      return `paused: ${why(run.row?.reason)}`;
    case "ended":
      return run.state;
  }
}

/** The name of a program for people. */
function place(owner: string): string {
  if (owner === "cli" || owner.startsWith("assist")) return "a terminal";
  return owner === "Visual Studio Code" ? "another window" : owner;
}
