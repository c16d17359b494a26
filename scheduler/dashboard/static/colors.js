// Colours: stages take them in turn, the rest come from the style sheet, light or dark.

const LIGHT = ["#4a7fc9", "#2ba39a", "#8c6bc4", "#5ba558", "#c9a227", "#5b8fa8", "#a5709e", "#8a7a5c", "#6f86d6", "#3f9e7a"];
const DARK = ["#6c9fe8", "#3fbfb4", "#a88be0", "#7cc378", "#dcb945", "#7db2cc", "#c590bd", "#b0a07d", "#93a6ee", "#5cc39b"];

const dark = matchMedia("(prefers-color-scheme: dark)");
let known = new Map();
dark.addEventListener("change", () => { known = new Map(); });

export const ofStage = (number) => (dark.matches ? DARK : LIGHT)[number % LIGHT.length];

export function named(name) {
  if (!known.has(name)) {
    known.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  }
  return known.get(name);
}
