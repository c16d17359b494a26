// Everything that is text: figures, plan, workers, log. Text is set as text, never as markup.

import { ofStage } from "/static/colors.js";
import { bytes, count, seconds } from "/static/format.js";

const $ = (id) => document.getElementById(id);

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const STATES = { running: "running", done: "done", failed: "failed", cancelled: "cancelled" };

export function drawState(state) {
  const pill = $("state");
  say(pill, state);
  pill.className = `pill ${state === "running" ? "running" : state === "idle" ? "" : "lost"}`;
}

export function drawTiles(model, job) {
  say($("title"), model.title);
  document.title = model.title ? `plait · ${model.title}` : "plait";
  if (job) {
    const took = (job.end ?? model.now()) - job.start;
    say($("tile-query"), seconds(Math.max(0, took)));
    say($("tile-query-more"), `Query ${job.id} · ${STATES[job.state]}`);
    const total = job.stages.reduce((sum, stage) => sum + stage.total, 0);
    const done = job.stages.reduce((sum, stage) => sum + stage.done, 0);
    const open = job.state === "running" && job.more;
    say($("tile-tasks"), `${count(done)} / ${count(total)}${open ? "+" : ""}`);
  }
  const failed = model.tasks.failed ? ` · ${count(model.tasks.failed)} failed` : "";
  say($("tile-tasks-more"), `${count(model.tasks.done)} since the start${failed}`);
  const sample = model.samples.at(-1);
  if (!sample) return;
  const workers = model.present();
  const threads = workers.reduce((sum, worker) => sum + worker.threads, 0);
  say($("tile-cpu"), sample.cpu.toFixed(2));
  say($("tile-cpu-more"), `of ${count(threads)} ${threads === 1 ? "thread" : "threads"}`);
  say($("tile-memory"), bytes(sample.memory));
  say($("tile-memory-more"), `results ${bytes(sample.held)}`);
  say($("tile-disk"), bytes(sample.spilled));
  const spilled = job ? job.stages.reduce((sum, stage) => sum + stage.spilled, 0) : 0;
  const none = sample.spilled ? "being written" : "nothing spilled";
  say($("tile-disk-more"), spilled ? `this query wrote ${bytes(spilled)}` : none);
}

export function drawChoice(place, choices, chosen, choose) {
  const key = JSON.stringify([choices, chosen]);
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  place.replaceChildren(...choices.map(({ value, label, className = "", title = "" }) => {
    const button = element("button", className, label);
    button.type = "button";
    button.title = title;
    button.setAttribute("aria-pressed", String(value === chosen));
    button.addEventListener("click", () => choose(value));
    return button;
  }));
}

// The stages of one query. Their elements are made once and then only told new figures.
export class PlanPanel {
  constructor(place) {
    this.place = place;
    this.shown = "";
    this.parts = [];
  }

  draw(job) {
    if (!job) return;
    const now = JSON.stringify([job.id, job.stages.map((stage) => [stage.name, stage.total])]);
    if (now !== this.shown) {
      this.shown = now;
      this.parts = job.stages.map((stage, number) => this.build(stage, number));
      this.place.replaceChildren(this.names(), ...this.parts.map((part) => part.root));
    }
    job.stages.forEach((stage, number) => this.update(this.parts[number], stage));
    const error = job.error ? `: ${job.error}` : "";
    say($("job-state"), `Query ${job.id} ${STATES[job.state]}${error}`);
  }

  names() {
    const root = element("div", "stage names");
    const head = element("div", "stage-head");
    head.append(
      element("i"), element("span", "", "Stage"), element("span", "bar-name wide", ""),
      element("span", "figure", "tasks"), element("span", "figure", "rows"),
      element("span", "figure wide", "bytes"), element("span", "figure wide", "time"),
    );
    root.append(head);
    return root;
  }

  build(stage, number) {
    const root = element("div", "stage");
    const head = element("div", "stage-head");
    const square = element("i", "square");
    const bar = element("div", "bar");
    const [active, done] = [element("i", "active"), element("i", "done")];
    square.style.background = active.style.background = done.style.background = ofStage(number);
    bar.append(active, done);
    const name = element("b", "", stage.name);
    const figures = ["figure", "figure", "figure wide", "figure wide"].map((c) => element("span", c));
    head.append(square, name, bar, ...figures);
    const lines = element("div", "lines");
    const rows = stage.lines.slice(1).map((text) => {
      const line = element("div");
      const label = element("span", "", text.replace(/^ {2}/, ""));
      label.title = text.trim();
      const figure = element("em");
      line.append(label, figure);
      lines.append(line);
      return figure;
    });
    name.title = stage.lines[0];
    root.append(head, lines);
    return { root, active, done, figures, rows };
  }

  update(part, stage) {
    const share = (tasks) => `${stage.total ? Math.min(100, (100 * tasks) / stage.total) : 0}%`;
    part.done.style.width = share(stage.done);
    part.active.style.width = share(stage.done + stage.active);
    const [tasks, rows, size, took] = part.figures;
    say(tasks, `${count(stage.done)}/${count(stage.total)}`);
    say(rows, stage.done ? count(stage.rows) : "");
    say(size, stage.done ? bytes(stage.size) : "");
    say(took, stage.done ? seconds(stage.seconds) : "");
    part.rows.forEach((figure, number) => {
      const known = stage.operators[number];
      say(figure, known === undefined ? "" : `${count(known)} rows`);
      figure.className = known === undefined ? "" : "known";
    });
  }
}

export function drawWorkers(place, model) {
  const workers = model.present();
  const top = Math.max(1, ...workers.map(({ limit, latest }) => (
    latest ? Math.max(limit, latest.memory + latest.spilled) : 1
  )));
  const known = new Map([...place.children].map((child) => [child.dataset.id, child]));
  place.replaceChildren(...workers.map((worker) => {
    const root = known.get(String(worker.id)) ?? buildWorker(worker);
    const { memory, held, spilled, cpu } = worker.latest ?? { memory: 0, held: 0, spilled: 0, cpu: 0 };
    const disk = spilled ? ` + ${bytes(spilled)} on disk` : "";
    say(root.querySelector("span"), worker.latest ? `${bytes(memory)}${disk} · ${Math.round(cpu * 100)} %` : "");
    const share = (value) => `${(100 * value) / top}%`;
    const [process, results, files] = root.querySelectorAll(".bar i");
    process.style.width = share(memory);
    results.style.width = share(Math.min(held, memory));
    files.style.left = share(memory);
    files.style.width = share(spilled);
    return root;
  }));
}

function buildWorker(worker) {
  const root = element("div", "worker");
  root.dataset.id = worker.id;
  root.title = worker.limit ? `limit ${bytes(worker.limit)}` : "no limit";
  const head = element("div", "worker-head");
  head.append(element("b", "", worker.name), element("span"));
  const bar = element("div", "bar");
  bar.append(element("i", "memory"), element("i", "held"), element("i", "spilled"));
  root.append(head, bar);
  return root;
}

export function drawLog(place, model) {
  place.closest("section").hidden = model.log.length === 0;
  const last = model.log.at(-1);
  const key = last ? `${model.log.length} ${last.at}` : "";
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  place.replaceChildren(...model.log.toReversed().map(({ at, level, text }) => {
    const line = element("li", level);
    const when = new Date(Date.now() - (model.now() - at) * 1000);
    line.append(element("span", "", when.toLocaleTimeString("en-GB")), element("b", "", text));
    return line;
  }));
}
