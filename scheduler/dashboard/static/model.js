// What the page knows: the feed's news, put together. Nothing here touches the document.

const SPANS = 40000;
const SAMPLES = 4000;
const JOBS = 40;
const LINES = 100;

export class Model {
  constructor() {
    this.forget("");
  }

  forget(epoch) {
    this.epoch = epoch;
    this.number = 0;
    this.title = "";
    this.spans = [];
    this.active = [];
    this.lanes = new Map();
    this.jobs = new Map();
    this.workers = new Map();
    this.samples = [];
    this.log = [];
    this.tasks = { done: 0, failed: 0 };
    this.offset = 0;
  }

  // Take one answer; false if it is another server's, who has to be asked for everything.
  take(news) {
    if (news.epoch !== this.epoch) {
      const first = this.number === 0;
      this.forget(news.epoch);
      if (!first) return false;
    }
    this.number = news.number;
    this.title = news.title;
    this.offset = news.now - performance.now() / 1000;
    this.tasks = news.tasks;
    for (const worker of news.workers) {
      this.workers.set(worker.id, { ...this.workers.get(worker.id), ...worker });
    }
    for (const [id, worker, thread] of news.lanes) this.lanes.set(id, { id, worker, thread });
    for (const [lane, kind, job, stage, start, seconds, tasks] of news.spans) {
      this.spans.push({ lane, kind, job, stage, start, end: start + seconds, tasks });
    }
    this.active = news.active.map(([lane, job, stage, start]) => ({ lane, job, stage, start }));
    for (const job of news.jobs) this.takeJob(job);
    for (const sample of news.samples) this.takeSample(sample);
    for (const [at, level, text] of news.log) this.log.push({ at, level, text });
    trim(this.spans, SPANS);
    trim(this.samples, SAMPLES);
    trim(this.log, LINES);
    while (this.jobs.size > JOBS) this.jobs.delete(this.jobs.keys().next().value);
    return true;
  }

  takeJob(news) {
    const before = this.jobs.get(news.id);
    const stages = news.stages
      ? news.stages.map(([name, note, total]) => ({ name, lines: note.split("\n"), total }))
      : before.stages;
    news.progress.forEach(([done, failed, active, rows, size, spilled, seconds, operators], n) => {
      Object.assign(stages[n], { done, failed, active, rows, size, spilled, seconds, operators });
    });
    this.jobs.set(news.id, { ...news, stages });
  }

  // Samples of single workers become points of the sum over all that are here.
  takeSample([id, at, memory, held, spilled, cpu]) {
    const worker = this.workers.get(id);
    if (!worker) return;
    worker.latest = { memory, held, spilled, cpu };
    const sum = { at, memory: 0, held: 0, spilled: 0, cpu: 0 };
    for (const { left, latest } of this.workers.values()) {
      if (left !== null || !latest) continue;
      for (const key of ["memory", "held", "spilled", "cpu"]) sum[key] += latest[key];
    }
    this.samples.push(sum);
  }

  now() {
    return performance.now() / 1000 + this.offset;
  }

  running() {
    return [...this.jobs.values()].some((job) => job.state === "running");
  }

  latestJob() {
    return [...this.jobs.values()].at(-1);
  }

  present() {
    return [...this.workers.values()].filter((worker) => worker.left === null);
  }
}

function trim(items, most) {
  if (items.length > most) items.splice(0, items.length - most);
}
