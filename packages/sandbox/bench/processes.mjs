/**
 * What a lane in a process of its own costs beside one on a thread: time and CPU of a run of one activation, from the
 * host over MessagePorts and back, alone and 50 at a time, and memory.
 *
 * node packages/sandbox/bench/processes.mjs [runs]
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { testPool } = require('../lib/testing/pools.js');
const runs = Number(process.argv[2] ?? 5000);
const TICK_MS = 10;

/** Our children that lanes run in. */
function laneProcesses() {
  const { stdout } = spawnSync('ps', ['-e', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' });
  const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/));
  return rows
    .filter(
      ([, parent, ...args]) => Number(parent) === process.pid && args.join(' ').startsWith('perdure lane'),
    )
    .map(([pid]) => Number(pid));
}

function cpuMs(pids) {
  const { user, system } = process.cpuUsage();
  const children = pids.map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  });
  return children.reduce((sum, ms) => sum + ms, (user + system) / 1000);
}

const rssMb = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

for (const processes of [false, true]) {
  const pool = await testPool({ hello: 'return args[0];' }, { processes });
  const pids = laneProcesses();
  let next = 0;
  const one = async () => {
    const run = `run-${next++}`;
    await pool.start('hello', run, next);
    pool.host.evict(1, run);
  };
  for (let i = 0; i < 1000; i++) await one();
  const figures = [];
  for (const atOnce of [1, 50]) {
    const cpu = cpuMs(pids);
    const began = performance.now();
    for (let i = 0; i < runs; i += atOnce) await Promise.all(Array.from({ length: atOnce }, one));
    const us = (ms) => `${Math.round((1000 * ms) / runs)} µs`;
    figures.push(`${atOnce} at a time: ${us(performance.now() - began)}, CPU ${us(cpuMs(pids) - cpu)}`);
  }
  const memory = pids.map((pid) => `, the lane's process ${rssMb(pid).toFixed(0)} MB`).join('');
  console.log(
    `${processes ? 'process' : 'thread '}  ${figures.join('; ')}; this process ${rssMb(process.pid).toFixed(0)} MB${memory}`,
  );
  await pool.close();
}
