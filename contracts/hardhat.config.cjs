// A project of Hardhat 2 as a user has it, but for the compiler: npm's solc instead of a downloaded one.
require("@nomicfoundation/hardhat-ethers");
require("@nomicfoundation/hardhat-chai-matchers");
const { subtask } = require("hardhat/config");
const { TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD } = require("hardhat/builtin-tasks/task-names");
const version = require("solc/package.json").version;

subtask(TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD, async () => ({
  compilerPath: require.resolve("solc/soljson.js"),
  isSolcJs: true,
  version,
  longVersion: require("solc").version(),
}));

module.exports = {
  solidity: { version, settings: { evmVersion: "shanghai", optimizer: { enabled: true, runs: 200 } } },
  networks: { dev: { url: process.env.RPC_URL ?? "http://127.0.0.1:8545" } },
  paths: { sources: "./src", tests: "./test/hardhat", cache: "./cache", artifacts: "./artifacts" },
};
