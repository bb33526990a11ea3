module.exports = () => globalThis.__perdureTestServer?.stop();
