// Starts nodes for contract developers at free ports: `mutirao dev`, and anvil of the npm package.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "../compile.mjs";

const here = dirname(fileURLToPath(import.meta.url));

/** tool is a program of Foundry itself: the script that npm puts before it loses its exit status. */
export function tool(name) {
  const cpu = { x64: "amd64", arm64: "arm64" }[process.arch];
  return process.env[name.toUpperCase()] ?? join(here, `node_modules/@foundry-rs/${name}-${process.platform}-${cpu}/bin/${name}`);
}

export const mutirao = process.env.MUTIRAO ?? resolve(root, "../bin/mutirao");

/** freePort asks the system for a port that nobody uses. */
export function freePort() {
  return new Promise((ok, no) => {
    const server = createServer().once("error", no);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => ok(port));
    });
  });
}

/** start runs a node until stop is called. It is ready when it has answered. */
export async function start(name, args = []) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const [binary, first] = name === "anvil" ? [tool("anvil"), []] : [mutirao, ["dev"]];
  const began = performance.now();
  const child = spawn(binary, [...first, "--port", String(port), ...args], { stdio: ["ignore", "ignore", "inherit"] });
  const ended = new Promise((done) => child.once("exit", done));
  let gone = false;
  child.once("error", () => (gone = true));
  ended.then(() => (gone = true));
  let id = 0;
  const post = async (body) => (await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: typeof body === "string" ? body : JSON.stringify(body) })).json();
  const ask = (method, ...params) => post({ jsonrpc: "2.0", id: ++id, method, params });
  const call = async (method, ...params) => {
    const { result, error } = await ask(method, ...params);
    if (error) throw Object.assign(new Error(`${name}: ${method}: ${error.message}`), { data: error.data });
    return result;
  };
  for (;;) {
    try {
      await call("eth_chainId");
      break;
    } catch (e) {
      if (gone || performance.now() - began > 30_000) throw new Error(`${binary} does not answer: ${e.message}`);
      await new Promise((r) => setTimeout(r, 5));
    }
  }
  const ready = performance.now() - began;
  const stop = async (signal = "SIGINT") => {
    child.kill(signal);
    return ended;
  };
  return { name, url, ws: `ws://127.0.0.1:${port}`, ready, post, ask, call, stop, child };
}
