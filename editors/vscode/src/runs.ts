/** The runs this window has heard of: what they are about, how they stand, and what they said. */

import * as vscode from "vscode";
import { JoinedText } from "./joined";
import { type Delta, type Intent, type RunEvent, fields, strings, text } from "./protocol";

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
  conversationId: string | undefined;
  readonly messages: Map<string, JoinedText>;
}

/** A question: the first choice says yes, the last one no. Without choices it wants words. */
export interface Question {
  text: string;
  detail: string | undefined;
  choices: string[];
  /** How many steps the plan has that is asked about; 0 where it is no plan. */
  steps: number;
}

/** What an event did to its run. */
export interface Change {
  run: Run;
  event: RunEvent | undefined;
}

const REMEMBERED = 40;

export class Runs implements vscode.Disposable {
  private readonly runs = new Map<string, Run>();
  private readonly changed = new vscode.EventEmitter<Change>();
  readonly onDidChange = this.changed.event;

  get(id: string): Run | undefined {
    return this.runs.get(id);
  }

  /** Newest first. */
  all(): Run[] {
    return [...this.runs.values()].reverse();
  }

  /** Those that still work or wait, newest first. */
  open(): Run[] {
    return this.all().filter((run) => run.standing === "working" || run.standing === "asking");
  }

  /** Tells what a run is about; its events may have come before. */
  begin(id: string, title: string, intent: Intent, conversationId: string | undefined): Run {
    const run = this.entry(id);
    run.title = title;
    run.intent = intent;
    run.conversationId = conversationId;
    this.changed.fire({ run, event: undefined });
    return run;
  }

  event(event: RunEvent): void {
    const run = this.entry(event.run);
    const { data } = event;
    switch (event.type) {
      case "status": {
        const state = text(data.state);
        if (state !== undefined) this.stand(run, state);
        run.message = text(data.message) ?? run.message;
        break;
      }
      case "approval_requested":
        run.standing = "asking";
        run.question = { text: text(data.question) ?? "May Assist go on?", detail: text(data.detail), choices: strings(data.choices), steps: stepsOf(data.plan) };
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
  }

  delta(delta: Delta): void {
    const run = this.entry(delta.run);
    if (this.say(run, delta.messageId, delta.offset, delta.text)) this.changed.fire({ run, event: undefined });
  }

  /** The server is gone: whatever was under way is no longer, and comes back as a paused session. */
  interrupt(): void {
    for (const run of this.open()) {
      this.stand(run, "paused");
      this.changed.fire({ run, event: undefined });
    }
  }

  /** All that a run said. */
  answer(run: Run): string {
    return [...run.messages.values()].map(String).filter((part) => part.trim() !== "").join("\n\n");
  }

  dispose(): void {
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
      conversationId: undefined,
      messages: new Map(),
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

/** What an event says, in one line for the log of a run. */
export function line(event: RunEvent): string {
  const { data } = event;
  const where = [text(data.component), text(data.path)].filter(Boolean).join(" in ");
  const join = (...parts: (string | undefined)[]): string => parts.filter((part) => part !== undefined && part !== "").join(": ");
  switch (event.type) {
    case "text":
      return "";
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
