// Asks for news while somebody looks, and draws them.

import { drawMemory, drawProcessors } from "/static/charts.js";
import { Model } from "/static/model.js";
import { PlanPanel, drawChoice, drawLog, drawState, drawTiles, drawWorkers } from "/static/panels.js";
import { Stream } from "/static/stream.js";

const BUSY = 250; // milliseconds between two questions while a query runs
const IDLE = 1000;
const LOST = 2000;
const WINDOWS = [
  { value: 0, label: "Query" },
  { value: 10, label: "10 s" },
  { value: 60, label: "1 min" },
  { value: 300, label: "5 min" },
];
const JOBS = 8;

const $ = (id) => document.getElementById(id);
const model = new Model();
const stream = new Stream($("stream"), model);
const plan = new PlanPanel($("stages"));
let chosenJob; // none: always the latest
let state = "connecting";

function shownJob() {
  return model.jobs.get(chosenJob) ?? model.latestJob();
}

function draw() {
  const job = shownJob();
  stream.job = job;
  drawState(state);
  drawTiles(model, job);
  drawChoice($("windows"), WINDOWS, stream.window, (value) => {
    stream.window = value;
    draw();
  });
  drawJobs(job);
  stream.draw();
  plan.draw(job);
  drawMemory($("memory-chart"), model);
  drawProcessors($("cpu-chart"), model);
  drawWorkers($("workers"), model);
  drawLog($("log"), model);
}

function drawJobs(shown) {
  const jobs = [...model.jobs.values()].slice(-JOBS);
  const choices = jobs.map((job) => ({
    value: job.id,
    label: String(job.id),
    className: job.state === "failed" ? "failed" : "",
    title: `Query ${job.id}: ${job.state}`,
  }));
  drawChoice($("jobs"), jobs.length > 1 ? choices : [], shown?.id, (id) => {
    chosenJob = id === model.latestJob().id ? undefined : id;
    draw();
  });
}

async function ask() {
  try {
    const answer = await fetch(`/feed?since=${model.number}`);
    if (answer.status === 403) {
      state = "token needed";
      return LOST;
    }
    if (!answer.ok) throw new Error(answer.statusText);
    if (!model.take(await answer.json())) return 0;
    state = model.running() ? "running" : "idle";
  } catch {
    state = "not connected";
    return LOST;
  }
  return model.running() ? BUSY : IDLE;
}

let asking = false;

async function keepAsking() {
  if (asking) return;
  asking = true;
  while (!document.hidden) {
    const pause = await ask();
    draw();
    await new Promise((resume) => setTimeout(resume, pause));
  }
  asking = false;
}

// Between two answers only what moves by itself: what runs, in the stream.
let drawn = 0;

function animate(at) {
  if (state === "running" && at - drawn > 80) {
    drawn = at;
    stream.draw();
  }
  requestAnimationFrame(animate);
}

// The token has done its work; it need not stay in the address bar and in the history.
history.replaceState(null, "", location.pathname);
document.addEventListener("visibilitychange", keepAsking);
addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  plan.shown = "";
  draw();
});
requestAnimationFrame(animate);
keepAsking();
