// Not run: `tsc` reads it, and each line marked as an error must be one. It shows what the package's types know.
import { INFER, LoanDesk, REGISTRY } from "@mutirao/contracts";
import { createPublicClient, createWalletClient, http } from "viem";

const client = createPublicClient({ transport: http("http://127.0.0.1:8545") });
const model = `0x${"00".repeat(32)}` as const;

const answer: readonly number[] = await client.readContract({ ...INFER, functionName: "preview", args: [model, [0x3f800000]] });
const parts: bigint = await client.readContract({ ...REGISTRY, functionName: "sharesOf", args: [model, INFER.address] });
// @ts-expect-error there is no such function
await client.readContract({ ...INFER, functionName: "guess", args: [model, [1]] });
// @ts-expect-error a model is 32 bytes, not a number
await client.readContract({ ...INFER, functionName: "preview", args: [7, [1]] });

const wallet = createWalletClient({ transport: http("http://127.0.0.1:8545") });
// @ts-expect-error a desk is of a model
await wallet.deployContract({ ...LoanDesk, chain: null, account: INFER.address });
console.log(answer, parts);
