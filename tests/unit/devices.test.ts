/** What a session tells of the device and network that it was made from: accounts.md 5. */
import t from "tap";
import { deviceOf, networkOf } from "../../server/accounts/sessions/device.ts";

t.test("networks are shown without the part that names one household", async (t) => {
  const rows: readonly (readonly [string, string])[] = [
    ["192.0.2.77", "192.0.2.0/24"],
    ["::ffff:192.0.2.77", "192.0.2.0/24"],
    ["::FFFF:c000:24d", "192.0.2.0/24"],
    ["0:0:0:0:0:ffff:192.0.2.77", "192.0.2.0/24"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"],
    ["2001:0DB8:0001::1", "2001:db8:1::/48"],
    ["2001:db8::1", "2001:db8::/48"],
    ["2001:db8:0:1::", "2001:db8::/48"],
    ["64:ff9b::192.0.2.77", "64:ff9b::/48"],
    ["fe80::1%eth0", "fe80::/48"],
    ["::1", "::/48"],
  ];
  for (const [address, network] of rows) t.equal(networkOf(address), network, address);
  for (const text of ["", "unknown", "192.0.2", "1:2", "<script>", "1.2.3.4/8"]) t.equal(networkOf(text), "", text);
});

t.test("a device is told by its system and app", async (t) => {
  const safari = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15";
  const chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0";
  const rows: readonly (readonly [string, string, string])[] = [
    [`Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${safari}`, "macOS", "Safari"],
    [`Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) ${safari}`, "iOS", "Safari"],
    ["Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) CriOS/130.0 Mobile Safari/604.1", "iPadOS", "Chrome"],
    [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chrome} Safari/537.36`, "Windows", "Chrome"],
    [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chrome} Safari/537.36 Edg/130.0`, "Windows", "Edge"],
    [`Mozilla/5.0 (X11; Linux x86_64) ${chrome} Safari/537.36 OPR/115.0`, "Linux", "Opera"],
    [`Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${chrome} Safari/537.36`, "ChromeOS", "Chrome"],
    ["Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "Linux", "Firefox"],
    ["Mozilla/5.0 (Linux; Android 14; K) SamsungBrowser/26.0 Chrome/122 Safari/537", "Android", "Samsung Internet"],
    ["Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko", "Windows", "Internet Explorer"],
    ["curl/8.5.0", "", "curl"],
    ["node", "", "node"],
    ["okhttp/4.12.0", "", "okhttp"],
    ["Dart/3.5 (dart:io)", "", "Dart"],
    ["Expo/1017756 CFNetwork/1568.200.51 Darwin/24.1.0", "iOS or macOS", "Expo"],
    ["python-requests/2.32.3", "", "python-requests"],
    ["Mozilla/5.0", "", ""],
    ["", "", ""],
  ];
  for (const [userAgent, os, app] of rows) t.strictSame(deviceOf(userAgent), { os, app }, userAgent);
});

t.test("what a device says comes out as plain short text, whatever it is", async (t) => {
  for (const hostile of [
    "<b>x</b>/1",
    "evil.example/1",
    "a\u0000b/1",
    "\u202egnp/1",
    `${"y".repeat(100)}/1`,
    "é/1",
    "%0d%0a/1",
  ]) {
    t.strictSame(deviceOf(hostile), { os: "", app: "" }, shown(hostile));
  }
  const started = performance.now();
  deviceOf("Version/1 ".repeat(100_000), "a".repeat(1e7));
  t.ok(performance.now() - started < 1000, "in no time");
  const names: readonly (readonly [string, string | undefined])[] = [
    ["Ada's phone (old), v1.2", "Ada's phone (old), v1.2"],
    ["  Küche\r\n\tBcc: x \u0000", "Küche Bcc x"],
    ["a\u202eb\u2028c\ud800d", "a b c d"],
    ["see https://evil.example/x", "see https evil example x"],
    ["🦊".repeat(100), "🦊".repeat(60)],
    [" \n\u0007", undefined],
    ["", undefined],
  ];
  for (const [given, name] of names) {
    t.strictSame(deviceOf("curl/8", given), { ...(name !== undefined && { name }), os: "", app: "curl" }, shown(given));
  }
});

function shown(text: string): string {
  return text.slice(0, 30).replace(/[^ -~]/g, "?");
}
