// What the tests share: the chain that run.mjs started, artifacts, and the compiler for sources that are not ours.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { root } from "../compile.mjs";

export { compile, root } from "../compile.mjs";
export const dev = JSON.parse(process.env.DEV);
export const model = (name) => dev.models.find((m) => m.name === name).id;
export const artifact = (name) => JSON.parse(readFileSync(resolve(root, "build", name + ".json"), "utf8"));
