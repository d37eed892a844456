const HIGH = 1_000_000;

/** Settings for tests that are not about limits, and send more than any network or account would. */
export const NO_LIMITS = {
  limits: {
    network: {
      ...{ signInFailuresPerMinute: HIGH, failuresPerMinute: HIGH, refreshFailuresPerMinute: HIGH },
      ...{ keyFailuresPerMinute: HIGH, signUpsPerHour: HIGH, guestsPerHour: HIGH, mailsPerHour: HIGH },
      codesPerHour: HIGH,
    },
    account: { mailsPerMinute: 60, mailsPerHour: 500, freePasswordFailures: 20 },
    session: { refreshesPerMinute: 10_000 },
  },
};
