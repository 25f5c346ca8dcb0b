// Runs the command line that it is given again and again, so that what somebody took away comes back and new upstreams
// come in; without one it only stands by. EVERY is in seconds.
const { spawn } = require('node:child_process');

const { EVERY = '600', MAIN = '/app/dist/main.js' } = process.env;
const line = process.argv.slice(1);
let child;

function run() {
  child = spawn(process.execPath, [MAIN, ...line], { stdio: 'inherit' });
  child.once('close', () => {
    child = undefined;
    setTimeout(run, Number(EVERY) * 1000);
  });
}

process.once('SIGTERM', () => {
  child?.kill('SIGKILL');
  process.exit();
});
if (line.length === 0) setInterval(() => {}, 2 ** 30);
else setTimeout(run, Number(EVERY) * 1000);
