// The vendors' own quotes of given pools: node quotes.mjs REQUEST.json, answers as JSON on standard output.
//
// Request: [{ venue, pool, now, repeat, accounts: { address: { owner, data (base64) } },
//             asks: [{ a_to_b, exact_in, amount }] }]
// Answer:  [{ answers: [{ in, out } | { error }], ns_per_quote }]; the time of `repeat` rounds over all asks, decoding
// not counted, 0 without repeat.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const BN = require("bn.js");
const { PublicKey, SYSVAR_CLOCK_PUBKEY } = require("@solana/web3.js");
const { AccountLayout, MintLayout } = require("@solana/spl-token");
const Dlmm = require("@meteora-ag/dlmm");
const orca = require("@orca-so/whirlpools-core");
const pump = require("@pump-fun/pump-swap-sdk");
const raydium = require("@raydium-io/raydium-sdk-v2");
const { default: Liquidity } = require("@raydium-io/raydium-sdk-v2/lib/raydium/liquidity/liquidity");

const U64_MAX = (1n << 64n) - 1n;

class Pool {
  constructor(request) {
    this.address = request.pool;
    this.now = request.now;
    this.accounts = new Map(
      Object.entries(request.accounts).map(([key, { owner, data }]) => [key, { owner, data: Buffer.from(data, "base64") }]),
    );
  }
  data(address) {
    const found = this.accounts.get(String(address));
    if (!found) throw new Error(`account ${address} is not given`);
    return found.data;
  }
  get bytes() {
    return this.data(this.address);
  }
  others(discriminator, at) {
    const key = new PublicKey(this.address).toBuffer();
    return [...this.accounts].filter(([, { data }]) =>
      data.subarray(0, 8).equals(discriminator) && data.subarray(at, at + 32).equals(key));
  }
}

const u128 = (data, at) => data.readBigUInt64LE(at) | (data.readBigUInt64LE(at + 8) << 64n);
const i128 = (data, at) => BigInt.asIntN(128, u128(data, at));
const key = (data, at) => new PublicKey(data.subarray(at, at + 32)).toBase58();
const tokens = (pool, address) => new BN(AccountLayout.decode(pool.data(address)).amount.toString());

function whirlpoolTick(data, at) {
  return {
    initialized: data[at] === 1, liquidityNet: i128(data, at + 1), liquidityGross: u128(data, at + 17),
    feeGrowthOutsideA: u128(data, at + 33), feeGrowthOutsideB: u128(data, at + 49),
    rewardGrowthsOutside: [u128(data, at + 65), u128(data, at + 81), u128(data, at + 97)],
  };
}
const EMPTY_TICK = {
  initialized: false, liquidityNet: 0n, liquidityGross: 0n, feeGrowthOutsideA: 0n, feeGrowthOutsideB: 0n,
  rewardGrowthsOutside: [0n, 0n, 0n],
};

function whirlpool(pool) {
  const data = pool.bytes;
  const spacing = data.readUInt16LE(41), tick = data.readInt32LE(81), span = 88 * spacing;
  const facade = {
    feeTierIndexSeed: data.subarray(43, 45), tickSpacing: spacing, feeRate: data.readUInt16LE(45),
    protocolFeeRate: data.readUInt16LE(47), liquidity: u128(data, 49), sqrtPrice: u128(data, 65), tickCurrentIndex: tick,
    feeGrowthGlobalA: u128(data, 165), feeGrowthGlobalB: u128(data, 245),
    rewardLastUpdatedTimestamp: data.readBigUInt64LE(261),
    rewardInfos: [0, 1, 2].map(() => ({ emissionsPerSecondX64: 0n, growthGlobalX64: 0n })),
  };
  const known = new Map();
  for (const [, account] of pool.others(Buffer.from([69, 97, 189, 190, 110, 7, 66, 187]), 9956)) {
    const ticks = Array.from({ length: 88 }, (_, i) => whirlpoolTick(account.data, 12 + 113 * i));
    known.set(account.data.readInt32LE(8), ticks);
  }
  const start = Math.floor(tick / span) * span;
  const arrays = [-2, -1, 0, 1, 2].map((i) => {
    const startTickIndex = start + i * span;
    return { startTickIndex, ticks: known.get(startTickIndex) ?? Array(88).fill(EMPTY_TICK) };
  });
  return (aToB, exactIn, amount) => {
    const quote = exactIn
      ? orca.swapQuoteByInputToken(amount, aToB, 0, facade, null, arrays, BigInt(pool.now), null, null)
      : orca.swapQuoteByOutputToken(amount, !aToB, 0, facade, null, arrays, BigInt(pool.now), null, null);
    return exactIn ? [quote.tokenIn, quote.tokenEstOut] : [quote.tokenEstIn, quote.tokenOut];
  };
}

function ammV4(pool) {
  const state = raydium.liquidityStateV4Layout.decode(pool.bytes);
  const info = {
    version: 4,
    mintA: { address: state.baseMint.toBase58(), decimals: state.baseDecimal.toNumber() },
    mintB: { address: state.quoteMint.toBase58(), decimals: state.quoteDecimal.toNumber() },
    baseReserve: tokens(pool, state.baseVault).sub(state.baseNeedTakePnl),
    quoteReserve: tokens(pool, state.quoteVault).sub(state.quoteNeedTakePnl),
  };
  const self = Object.create(Liquidity.prototype);
  Object.assign(self, { logDebug() {}, logAndCreateError(text) { throw new Error(text); } });
  return (aToB, exactIn, amount) => {
    const [mintIn, mintOut] = aToB ? [info.mintA.address, info.mintB.address] : [info.mintB.address, info.mintA.address];
    const ask = { poolInfo: info, mintIn, mintOut, slippage: 0 };
    if (exactIn) return [amount, self.computeAmountOut({ ...ask, amountIn: new BN(amount.toString()) }).amountOut];
    return [self.computeAmountIn({ ...ask, amountOut: new BN(amount.toString()) }).amountIn, amount];
  };
}

function cpmm(pool) {
  const state = raydium.CpmmPoolInfoLayout.decode(pool.bytes);
  const config = raydium.CpmmConfigInfoLayout.decode(pool.data(state.configId));
  const owed = (side) => ["protocolFees", "fundFees", "creatorFees"].reduce(
    (sum, name) => sum.add(state[name + (side ? "MintB" : "MintA")] ?? new BN(0)), new BN(0));
  const reserves = [tokens(pool, state.vaultA).sub(owed(0)), tokens(pool, state.vaultB).sub(owed(1))];
  const creator = state.enableCreatorFee ? config.creatorFeeRate : new BN(0);
  const { swapBaseInput, swapBaseOutput } = raydium.CurveCalculator;
  return (aToB, exactIn, amount) => {
    const [x, y] = aToB ? reserves : [reserves[1], reserves[0]];
    const onInput = state.feeOn === 0 || state.feeOn === (aToB ? 1 : 2);
    const rates = [config.tradeFeeRate, creator, config.protocolFeeRate, config.fundFeeRate, onInput];
    const quote = (exactIn ? swapBaseInput : swapBaseOutput).call(
      raydium.CurveCalculator, new BN(amount.toString()), x, y, ...rates);
    return [quote.inputAmount, quote.outputAmount];
  };
}

function clmm(pool) {
  const poolInfo = raydium.PoolInfoLayout.decode(pool.bytes);
  const configInfo = raydium.ClmmConfigLayout.decode(pool.data(poolInfo.configId ?? poolInfo.ammConfig));
  const programId = new PublicKey(pool.accounts.get(pool.address).owner), poolId = new PublicKey(pool.address);
  const arrays = [];
  let extension = { positiveTickArrayBitmap: [], negativeTickArrayBitmap: [] };
  for (const [address, { data }] of pool.accounts) {
    if (!data.subarray(8, 40).equals(poolId.toBuffer())) continue;
    if (data.length === 10240) arrays.push({ address: new PublicKey(address), value: raydium.TickArrayLayout.decode(data) });
    else if (data.length === 1832) extension = raydium.TickArrayBitmapExtensionLayout.decode(data);
  }
  arrays.sort((one, other) => one.value.startTickIndex - other.value.startTickIndex);
  const span = 60 * poolInfo.tickSpacing, start = Math.floor(poolInfo.tickCurrent / span) * span;
  const way = {
    true: arrays.filter((each) => each.value.startTickIndex <= start).reverse(),
    false: arrays.filter((each) => each.value.startTickIndex >= start),
  };
  return (aToB, exactIn, amount) => {
    const given = new BN(amount.toString());
    const done = raydium.swapInternal({
      programId, poolId, poolInfo, configInfo, tickArrays: way[aToB], tickarrayBitmapExtension: extension,
      amountSpecified: given, sqrtPriceLimitX64: new BN(0), zeroForOne: aToB, isBaseInput: exactIn,
      blockTimestamp: pool.now, includeExtraTickArrays: false,
    });
    if (!done.allTrade) throw new Error("the arrays end");
    return exactIn ? [amount, done.amountCalculated] : [done.amountCalculated, amount];
  };
}

// of SPL Token, initialised: stands for a mint that is not given, as our own loader takes it
const PLAIN_MINT = { data: Buffer.alloc(82), owner: "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA" };
PLAIN_MINT.data[45] = 1;

async function dlmmPair(pool) {
  const clock = Buffer.alloc(40);
  clock.writeBigInt64LE(BigInt(pool.now), 32);
  const mints = new Set([key(pool.bytes, 88), key(pool.bytes, 120)]);
  const info = (address) => {
    if (SYSVAR_CLOCK_PUBKEY.equals(address)) return { data: clock, owner: SYSVAR_CLOCK_PUBKEY, lamports: 1, executable: false };
    const found = pool.accounts.get(address.toBase58()) ?? (mints.has(address.toBase58()) ? PLAIN_MINT : null);
    return found ? { data: found.data, owner: new PublicKey(found.owner), lamports: 1, executable: false } : null;
  };
  const connection = {
    getMultipleAccountsInfo: async (keys) => keys.map(info), getAccountInfo: async (address) => info(address),
    commitment: "confirmed", rpcEndpoint: "http://127.0.0.1",
  };
  const pair = await (Dlmm.default ?? Dlmm).create(connection, new PublicKey(pool.address));
  const arrays = pool.others(Buffer.from([92, 142, 92, 220, 5, 148, 70, 181]), 24).map(([address, { data }]) => ({
    publicKey: new PublicKey(address), account: pair.program.coder.accounts.decode("binArray", data),
  }));
  Date.now = () => pool.now * 1000;
  return (aToB, exactIn, amount) => {
    const given = new BN(amount.toString()), none = new BN(0);
    if (exactIn) {
      const quote = pair.swapQuote(given, aToB, none, arrays);
      return [quote.consumedInAmount, quote.outAmount];
    }
    const quote = pair.swapQuoteExactOut(given, aToB, none, arrays);
    return [quote.inAmount, quote.outAmount];
  };
}

function pumpSwap(pool) {
  const coder = pump.OFFLINE_PUMP_AMM_PROGRAM.coder.accounts;
  const find = (name) => {
    const tag = coder.accountDiscriminator(name);
    const found = [...pool.accounts.values()].find(({ data }) => data.subarray(0, 8).equals(tag));
    // an account made before the newest fields ends before them: they are zero
    return found ? coder.decode(name, Buffer.concat([found.data, Buffer.alloc(1024)])) : null;
  };
  const state = coder.decode("pool", pool.bytes);
  const bytes = pool.accounts.get(state.baseMint.toBase58())?.data; // matters only to coins of pump.fun
  const mint = bytes ? MintLayout.decode(bytes.subarray(0, MintLayout.span)) : { supply: 0n };
  const given = {
    slippage: 0, baseReserve: tokens(pool, state.poolBaseTokenAccount), quoteReserve: tokens(pool, state.poolQuoteTokenAccount),
    virtualQuoteReserves: state.virtualQuoteReserves ?? new BN(0), globalConfig: find("globalConfig"),
    feeConfig: find("feeConfig"), baseMintAccount: mint, baseMint: state.baseMint,
    coinCreator: state.coinCreator, creator: state.creator, quoteMint: state.quoteMint,
    isMayhemMode: state.isMayhemMode ?? false, creatorFeeBps: state.creatorFeeBps,
  };
  return (aToB, exactIn, amount) => {
    const n = new BN(amount.toString());
    if (aToB) {
      if (exactIn) return [amount, pump.sellBaseInput({ ...given, base: n }).uiQuote];
      return [pump.sellQuoteInput({ ...given, quote: n }).base, amount];
    }
    if (exactIn) return [amount, pump.buyQuoteInput({ ...given, quote: n }).base];
    return [pump.buyBaseInput({ ...given, base: n }).uiQuote, amount];
  };
}

const VENUES = {
  meteora_dlmm: dlmmPair, orca_whirlpool: whirlpool, pump_swap: pumpSwap, raydium_amm_v4: ammV4, raydium_clmm: clmm,
  raydium_cpmm: cpmm,
};

function answer(quote, { a_to_b, exact_in, amount }) {
  try {
    const [amountIn, amountOut] = quote(a_to_b, exact_in, BigInt(amount)).map((each) => BigInt(each.toString()));
    if (amountIn > U64_MAX || amountOut > U64_MAX) return { error: "more than 64 bits" };
    return { in: amountIn.toString(), out: amountOut.toString() };
  } catch (error) {
    return { error: String(error.message ?? error) };
  }
}

const answers = [];
for (const request of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  const quote = await VENUES[request.venue](new Pool(request));
  const got = request.asks.map((ask) => answer(quote, ask));
  const asks = request.asks.map(({ a_to_b, exact_in, amount }) => [a_to_b, exact_in, BigInt(amount)]);
  const began = process.hrtime.bigint();
  for (let round = 0; round < (request.repeat ?? 0); round++) for (const ask of asks) quote(...ask);
  const spent = Number(process.hrtime.bigint() - began);
  answers.push({ answers: got, ns_per_quote: request.repeat ? spent / (request.repeat * asks.length) : 0 });
}
process.stdout.write(JSON.stringify(answers) + "\n");
