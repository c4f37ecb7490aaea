// A wallet on @solana/web3.js and @solana/spl-token against a simnet: node client.mjs RPC_URL
import assert from "node:assert/strict";
import {
  AddressLookupTableProgram, ComputeBudgetProgram, Connection, Keypair, LAMPORTS_PER_SOL, NONCE_ACCOUNT_LENGTH,
  NonceAccount, PublicKey, SystemProgram, Transaction, TransactionMessage, VersionedTransaction,
  sendAndConfirmTransaction,
} from "@solana/web3.js";
import {
  createMint, getAccount, getMint, getOrCreateAssociatedTokenAccount, mintTo, transfer, TOKEN_PROGRAM_ID,
} from "@solana/spl-token";

const connection = new Connection(process.argv[2], "confirmed");
const alice = Keypair.generate();
const bob = Keypair.generate();

const deadline = (promise, what) => Promise.race([
  promise, new Promise((_, reject) => setTimeout(() => reject(new Error(`no ${what} in 30 s`)), 30000).unref()),
]);
const heard = (subscribe, what) => deadline(new Promise((resolve) => subscribe(resolve)), what);

// subscriptions before there is anything to hear; a slot notification shows that the socket is open
const subscriptions = [];
const slot = await heard((resolve) => subscriptions.push(["Slot", connection.onSlotChange(resolve)]), "slot");
assert.ok(slot.slot > 0 && slot.parent < slot.slot);
const funded = heard((resolve) => subscriptions.push(
  ["Account", connection.onAccountChange(alice.publicKey, resolve, { commitment: "processed" })]), "account");
const logged = heard((resolve) => subscriptions.push(["Logs", connection.onLogs(alice.publicKey, resolve)]), "logs");

// airdrop
const airdrop = await connection.requestAirdrop(alice.publicKey, 10 * LAMPORTS_PER_SOL);
await connection.confirmTransaction({ signature: airdrop, ...(await connection.getLatestBlockhash()) });
assert.equal(await connection.getBalance(alice.publicKey), 10 * LAMPORTS_PER_SOL);
assert.equal((await funded).lamports, 10 * LAMPORTS_PER_SOL);
assert.equal((await logged).signature, airdrop);

// mint, token accounts, transfer of tokens
const mint = await createMint(connection, alice, alice.publicKey, null, 6);
const from = await getOrCreateAssociatedTokenAccount(connection, alice, mint, alice.publicKey);
const to = await getOrCreateAssociatedTokenAccount(connection, alice, mint, bob.publicKey);
const changed = heard((resolve) => subscriptions.push(
  ["Program", connection.onProgramAccountChange(TOKEN_PROGRAM_ID, resolve, {
    commitment: "confirmed", filters: [{ dataSize: 165 }, { memcmp: { offset: 32, bytes: bob.publicKey.toBase58() } }],
  })]), "program");
await mintTo(connection, alice, mint, from.address, alice, 1_000_000n);
const moved = await transfer(connection, alice, from.address, to.address, alice, 250_000n);
assert.equal((await getAccount(connection, to.address)).amount, 250_000n);
assert.equal((await getMint(connection, mint)).supply, 1_000_000n);
assert.ok((await changed).accountId.equals(to.address));
const shown = await connection.getParsedTransaction(moved, { maxSupportedTransactionVersion: 0 });
assert.equal(shown.meta.err, null);
assert.equal(shown.transaction.message.instructions[0].parsed.type, "transfer");
assert.deepEqual(shown.meta.postTokenBalances.map((each) => each.uiTokenAmount.amount).sort(), ["250000", "750000"]);
const owned = await connection.getParsedTokenAccountsByOwner(bob.publicKey, { mint });
assert.equal(owned.value[0].account.data.parsed.info.tokenAmount.uiAmountString, "0.25");

// a legacy transaction, and what it costs
const before = await connection.getBalance(alice.publicKey);
const pay = SystemProgram.transfer({ fromPubkey: alice.publicKey, toPubkey: bob.publicKey, lamports: LAMPORTS_PER_SOL });
const budget = [
  ComputeBudgetProgram.setComputeUnitLimit({ units: 10_000 }),
  ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 1_000_000 }),
];
await sendAndConfirmTransaction(connection, new Transaction().add(...budget, pay), [alice]);
assert.equal(before - (await connection.getBalance(alice.publicKey)), LAMPORTS_PER_SOL + 5_000 + 10_000);

// an address lookup table, usable from the next slot, in a versioned transaction
const [create, table] = AddressLookupTableProgram.createLookupTable({
  authority: alice.publicKey, payer: alice.publicKey, recentSlot: await connection.getSlot("confirmed"),
});
const extend = AddressLookupTableProgram.extendLookupTable({
  lookupTable: table, authority: alice.publicKey, payer: alice.publicKey, addresses: [bob.publicKey],
});
await sendAndConfirmTransaction(connection, new Transaction().add(create, extend), [alice]);
const tables = [(await connection.getAddressLookupTable(table)).value];
assert.ok(tables[0].state.addresses[0].equals(bob.publicKey));
const latest = await connection.getLatestBlockhash();
const message = new TransactionMessage({
  payerKey: alice.publicKey, recentBlockhash: latest.blockhash, instructions: [pay],
}).compileToV0Message(tables);
assert.equal(message.addressTableLookups.length, 1);
const versioned = new VersionedTransaction(message);
versioned.sign([alice]);
const simulated = await connection.simulateTransaction(versioned, { sigVerify: true });
assert.equal(simulated.value.err, null);
const signature = await connection.sendTransaction(versioned);
await deadline(connection.confirmTransaction({ signature, ...latest }), "confirmation");
const landed = await connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 });
assert.ok(landed.meta.loadedAddresses.writable[0].equals(bob.publicKey));
assert.ok((await connection.getBlock(landed.slot, { maxSupportedTransactionVersion: 0 })).transactions.length > 0);

// a durable nonce outlives its blockhash and works once
const nonce = Keypair.generate();
await sendAndConfirmTransaction(connection, new Transaction().add(SystemProgram.createNonceAccount({
  fromPubkey: alice.publicKey, noncePubkey: nonce.publicKey, authorizedPubkey: alice.publicKey,
  lamports: await connection.getMinimumBalanceForRentExemption(NONCE_ACCOUNT_LENGTH),
})), [alice, nonce]);
const stored = NonceAccount.fromAccountData((await connection.getAccountInfo(nonce.publicKey)).data);
const durable = new Transaction({ feePayer: alice.publicKey, nonceInfo: {
  nonce: stored.nonce,
  nonceInstruction: SystemProgram.nonceAdvance({ noncePubkey: nonce.publicKey, authorizedPubkey: alice.publicKey }),
} }).add(pay);
durable.sign(alice);
const once = await connection.sendRawTransaction(durable.serialize());
await deadline(connection.confirmTransaction(
  { signature: once, nonceAccountPubkey: nonce.publicKey, nonceValue: stored.nonce, minContextSlot: landed.slot }), "nonce");
const advanced = NonceAccount.fromAccountData((await connection.getAccountInfo(nonce.publicKey)).data);
assert.notEqual(advanced.nonce, stored.nonce);
await assert.rejects(connection.sendRawTransaction(durable.serialize()), /already been processed|Blockhash not found/);

// errors
const poor = new Transaction({ feePayer: alice.publicKey, ...latest }).add(SystemProgram.transfer(
  { fromPubkey: alice.publicKey, toPubkey: bob.publicKey, lamports: 1000 * LAMPORTS_PER_SOL }));
await assert.rejects(connection.sendTransaction(poor, [alice]), (error) => error.logs.some((line) => line.includes("insufficient")));
await assert.rejects(connection.getTokenSupply(alice.publicKey), /not a Token mint/);

// history and the rest of what a wallet reads
const history = await connection.getSignaturesForAddress(alice.publicKey);
assert.equal(history.at(-1).signature, airdrop);
assert.ok(history.some((each) => each.signature === signature));
const statuses = await connection.getSignatureStatuses([airdrop, signature], { searchTransactionHistory: true });
assert.ok(statuses.value.every((each) => each.err === null));
assert.ok((await connection.getEpochInfo()).absoluteSlot > 0);
assert.ok((await connection.getRecentPrioritizationFees()).length > 0);
assert.ok((await connection.getSupply()).value.total > 0);
assert.ok((await connection.isBlockhashValid(latest.blockhash)).value);
const many = await connection.getMultipleAccountsInfo([alice.publicKey, Keypair.generate().publicKey]);
assert.deepEqual(many.map((each) => each !== null), [true, false]);

for (const [kind, id] of subscriptions) {
  await connection[{ Slot: "removeSlotChangeListener", Account: "removeAccountChangeListener",
    Logs: "removeOnLogsListener", Program: "removeProgramAccountChangeListener" }[kind]](id);
}
console.log("ok");
process.exit(0);
