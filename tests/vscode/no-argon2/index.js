// code-server loads argon2 at every start and calls it only for passwords. The tests start it without one (--auth none),
// so that nothing has to be compiled to install it.
const refuse = () => Promise.reject(new Error("this code-server was installed for tests and knows no passwords"));
module.exports = { hash: refuse, verify: refuse };
