// The task stream: a row for each thread, a bar for each task, or for many short ones.

import { fitted, prepare } from "/static/canvas.js";
import { named, ofStage } from "/static/colors.js";
import { seconds, step } from "/static/format.js";

const AXIS = 22;
const LABELS = 104;
const SHORTEST = 0.05;

export class Stream {
  constructor(place, model) {
    this.model = model;
    this.canvas = place.querySelector("canvas");
    this.tip = place.querySelector(".tip");
    this.window = 0;
    this.job = undefined;
    this.hits = [];
    this.canvas.addEventListener("mousemove", (event) => this.point(event));
    this.canvas.addEventListener("mouseleave", () => { this.tip.hidden = true; });
  }

  // From when to when is shown: the query, or the last seconds in which something ran.
  range() {
    const now = this.model.now();
    const job = this.job;
    if (this.window === 0) {
      if (!job) return { from: now - 1, to: now, zero: now - 1 };
      const to = Math.max(job.end ?? now, job.start + SHORTEST);
      return { from: job.start, to: to + (to - job.start) * 0.01, zero: job.start };
    }
    const last = this.model.spans.at(-1)?.end ?? now;
    const to = this.model.running() ? now : Math.min(now, last + this.window * 0.02);
    return { from: to - this.window, to, zero: to };
  }

  rows(spans) {
    const { lanes, workers } = this.model;
    const seen = new Set(spans.map((span) => span.lane));
    const shown = [...lanes.values()].filter(
      (lane) => seen.has(lane.id) || workers.get(lane.worker)?.left === null,
    );
    return shown.sort(
      (a, b) => a.worker - b.worker || a.thread.localeCompare(b.thread, "en", { numeric: true }),
    );
  }

  draw() {
    const { from, to, zero } = this.range();
    const spans = this.model.spans.filter((span) => span.end >= from && span.start <= to);
    const rows = this.rows(spans);
    const height = Math.max(5, Math.min(26, Math.floor(400 / Math.max(1, rows.length))));
    const { context, width } = prepare(this.canvas, Math.max(2, rows.length) * height + AXIS);
    const area = { left: LABELS, width: width - LABELS, bottom: rows.length * height };
    const x = (at) => area.left + ((at - from) / (to - from)) * area.width;
    this.drawGrid(context, area, from, to, zero, x);
    const place = new Map(rows.map((lane, number) => [lane.id, number * height]));
    rows.forEach((lane, number) => this.drawRow(context, lane, number * height, height, width));
    this.hits = [];
    context.save();
    context.beginPath();
    context.rect(area.left, 0, area.width, area.bottom);
    context.clip();
    // What runs comes first: tasks that ended inside of it lie on top.
    const now = this.model.now();
    for (const task of this.model.active) {
      if (task.start > to) continue;
      this.drawBar(context, { ...task, kind: "running", end: now, tasks: 1 }, x, place, height);
    }
    for (const span of spans) this.drawBar(context, span, x, place, height);
    context.restore();
  }

  drawGrid(context, area, from, to, zero, x) {
    const size = step(to - from, Math.max(2, area.width / 90));
    context.fillStyle = named("quiet");
    context.strokeStyle = named("line");
    context.textAlign = "center";
    for (let n = Math.ceil((from - zero) / size); zero + n * size <= to; n += 1) {
      const at = Math.round(x(zero + n * size)) + 0.5;
      context.beginPath();
      context.moveTo(at, 0);
      context.lineTo(at, area.bottom + 4);
      context.stroke();
      const label = n === 0 ? (this.window ? "now" : "0") : `${n < 0 ? "−" : ""}${seconds(Math.abs(n * size))}`;
      context.fillText(label, Math.max(area.left + 8, Math.min(at, area.left + area.width - 22)), area.bottom + 13);
    }
  }

  drawRow(context, lane, top, height, width) {
    context.globalAlpha = 0.6;
    context.fillStyle = named("track");
    context.fillRect(LABELS, top + 1, width - LABELS, height - 2);
    context.globalAlpha = 1;
    if (height < 11) return;
    context.fillStyle = named("quiet");
    context.textAlign = "left";
    const several = this.model.workers.size > 1;
    const name = several ? `${this.model.workers.get(lane.worker)?.name ?? ""} ${lane.thread}` : lane.thread;
    context.fillText(fitted(context, name, LABELS - 14), 0, top + height / 2 + 0.5);
  }

  drawBar(context, span, x, place, height) {
    const top = place.get(span.lane);
    if (top === undefined) return;
    const left = x(span.start);
    const wide = Math.max(1, x(span.end) - left - (x(span.end) - left > 4 ? 1 : 0));
    const tall = Math.max(2, height - 3);
    const ofTask = span.kind === "task" || span.kind === "running";
    context.globalAlpha = span.kind === "running" ? 0.45 : 1;
    context.fillStyle = ofTask ? ofStage(span.stage) : named(span.kind);
    context.fillRect(left, top + 1, wide, tall);
    context.globalAlpha = 1;
    if (ofTask && wide > 46 && height >= 15) {
      context.fillStyle = span.kind === "running" ? named("ink") : "#fff";
      context.textAlign = "left";
      const from = Math.max(left, LABELS);
      context.fillText(fitted(context, this.name(span), left + wide - from - 12), from + 6, top + 1 + tall / 2);
    }
    this.hits.push({ span, left, right: left + Math.max(wide, 3), top, bottom: top + height });
  }

  name(span) {
    return this.model.jobs.get(span.job)?.stages[span.stage]?.name ?? "task";
  }

  point(event) {
    const { offsetX: x, offsetY: y } = event;
    const hit = this.hits.findLast(
      (bar) => x >= bar.left && x <= bar.right && y >= bar.top && y <= bar.bottom,
    );
    this.tip.hidden = !hit;
    if (!hit) return;
    const { span } = hit;
    const what = span.kind === "task" || span.kind === "running" ? this.name(span) : span.kind;
    const many = span.tasks > 1 ? ` · ${span.tasks} short ones` : "";
    const query = span.job > 0 ? `Query ${span.job} · ` : "";
    const took = `${seconds(span.end - span.start)}${span.kind === "running" ? " so far" : ""}`;
    const ended = span.kind === "failed" ? " · failed" : "";
    this.tip.textContent = `${span.kind === "failed" ? this.name(span) : what}${many}\n${query}${took}${ended}`;
    const room = this.canvas.clientWidth - this.tip.offsetWidth - 8;
    this.tip.style.left = `${Math.max(0, Math.min(x + 12, room))}px`;
    this.tip.style.top = `${hit.bottom + 4}px`;
  }
}
