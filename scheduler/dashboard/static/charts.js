// Memory and processors of all workers over time, as areas.

import { prepare } from "/static/canvas.js";
import { named } from "/static/colors.js";
import { bytes, step } from "/static/format.js";

const LONGEST = 120; // seconds shown; fewer while there are no more
const SHORTEST = 20;
const LABELS = 56;

function area(canvas, model, series, most, label) {
  const { context, width, height } = prepare(canvas);
  const bottom = height - 4;
  const now = model.samples.at(-1)?.at ?? 0;
  const first = model.samples[0]?.at ?? now;
  const span = Math.max(SHORTEST, Math.min(LONGEST, now - first));
  const from = now - span;
  const points = model.samples.filter((sample) => sample.at >= from);
  const x = (at) => LABELS + ((at - from) / span) * (width - LABELS);
  const y = (value) => bottom - (value / most) * (bottom - 10);
  context.textAlign = "left";
  for (const part of [0, 0.5, 1]) {
    const at = Math.round(y(most * part)) - 0.5;
    context.strokeStyle = named("line");
    context.beginPath();
    context.moveTo(LABELS, at);
    context.lineTo(width, at);
    context.stroke();
    context.fillStyle = named("quiet");
    context.fillText(label(most * part), 0, Math.min(at, height - 7));
  }
  if (points.length < 2) return;
  for (const { name, base, top, faint } of series) {
    context.fillStyle = context.strokeStyle = named(name);
    context.globalAlpha = faint ? 0.35 : 1;
    context.beginPath();
    for (const point of points) context.lineTo(x(point.at), y(top(point)));
    for (const point of points.toReversed()) context.lineTo(x(point.at), y(base(point)));
    context.fill();
    context.globalAlpha = 1;
    if (!faint) continue;
    context.lineWidth = 1.5;
    context.beginPath();
    for (const point of points) context.lineTo(x(point.at), y(top(point)));
    context.stroke();
    context.lineWidth = 1;
  }
}

const largest = (values) => values.reduce((most, value) => Math.max(most, value), 0);

export function drawMemory(canvas, model) {
  const top = largest(model.samples.map((sample) => sample.memory + sample.spilled));
  const rough = Math.max(top * 1.08, 1e6);
  const size = step(rough, 4);
  const most = Math.ceil(rough / size) * size;
  area(canvas, model, [
    { name: "memory", base: () => 0, top: (s) => s.memory },
    { name: "held", base: () => 0, top: (s) => Math.min(s.held, s.memory) },
    { name: "spill", base: (s) => s.memory, top: (s) => s.memory + s.spilled },
  ], most, bytes);
}

export function drawProcessors(canvas, model) {
  const threads = model.present().reduce((sum, worker) => sum + worker.threads, 0);
  const most = Math.max(1, threads, Math.ceil(largest(model.samples.map((s) => s.cpu)) - 0.25));
  area(canvas, model, [
    { name: "good", base: () => 0, top: (s) => s.cpu, faint: true },
  ], most, (value) => (Number.isInteger(value) ? String(value) : value.toFixed(1)));
}
