// What the package tells TypeScript: types.ts compiles, and every line that is marked as wrong is.
import { spawnSync } from "node:child_process";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";

const here = dirname(fileURLToPath(import.meta.url));

test("types", () => {
  const tsc = resolve(here, "../../node_modules/typescript/bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, "--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--skipLibCheck", join(here, "types.ts")], { encoding: "utf8" });
  assert.equal(status, 0, stdout);
});
