import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createAuthorizer } from "./access/authorize.ts";
import { createDenials } from "./access/explaining/denials.ts";
import { createLints } from "./access/lints/lints.ts";
import type { Principal } from "./access/principal.ts";
import { createRulesService } from "./access/publishing/publishing.ts";
import { holdRules } from "./access/publishing/rules-held.ts";
import { createRights } from "./access/rights.ts";
import { createTestRunner } from "./access/rule-tests/runner.ts";
import { openAccounts } from "./accounts/accounts.ts";
import { authorName } from "./accounts/author-name.ts";
import { createServiceKeys } from "./accounts/keys/service-keys.ts";
import { createOutbox } from "./accounts/mail/mail-outbox.ts";
import { createSmtpTransport } from "./accounts/mail/mail-smtp.ts";
import type { MailTransport } from "./accounts/mail/mail-transport.ts";
import type { HashCosts } from "./accounts/passwords/password-hash.ts";
import { createRulePeople } from "./accounts/rule-people.ts";
import { demandStanding } from "./accounts/standing.ts";
import type { Config } from "./config.ts";
import { keptSecret } from "./data-folder.ts";
import { createCollectionService } from "./documents/collections.ts";
import { type Definitions, openDefinitions } from "./documents/definitions.ts";
import { createDenialTeller } from "./documents/denial-teller.ts";
import { createExplainService, type ExplainOptions } from "./documents/explaining.ts";
import { createProfiles } from "./documents/profiles.ts";
import { createDocumentService } from "./documents/service.ts";
import { withTemplates } from "./documents/templated-collections.ts";
import { listPlan } from "./list-plan.ts";
import { openLive } from "./live.ts";
import type { Log } from "./log.ts";
import { nearest } from "./nearest.ts";
import type { Services } from "./opening.ts";
import type { LiveLimits } from "./realtime/sessions/live-limits.ts";
import type { LiveSessions } from "./realtime/sessions/sessions.ts";
import { lintSources } from "./rule-lints.ts";
import { createTestGalleys, type TestGalleyOptions } from "./rule-test-galley.ts";
import type { DocumentStore } from "./stores/document-store.ts";

/** What services are made of. */
export interface ServiceParts {
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** That many random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  readonly store: DocumentStore;
  /** Opens the embedded store in a folder, for what is thrown away. */
  readonly openEmbedded: TestGalleyOptions["openStore"];
  /** How the engine in use would be asked, by its name. */
  readonly statements: ExplainOptions["statements"];
  /** What differs from the usual limits of live queries. */
  readonly live?: Partial<LiveLimits> | undefined;
  /** What a password's hash costs; the usual if left out. */
  readonly hashCosts?: HashCosts | undefined;
  /** The full key of this run. */
  readonly key: string;
  /** Where this Galley is reached, as far as its configuration tells. */
  readonly ownUrl: string;
  /** As it is once the port is open. */
  readonly publicUrl: () => string;
}

/** Builds what works on the store, by hand, in order. What was opened is closed again if a later part fails. */
export async function openServices(config: Config, parts: ServiceParts): Promise<Services> {
  const { store, openEmbedded, statements, clock, random, log, key, ownUrl, publicUrl } = parts;
  const secrets = config.secrets.length > 0 ? config.secrets : [keptSecret(config.dataDir)];
  const presets = config.serviceKey === undefined ? [key] : [config.serviceKey, key];
  const development = config.mode === "development";
  const opened: { close(): void | Promise<void> }[] = [];
  const close = async () => {
    for (const part of opened.reverse()) await part.close();
  };
  /** Who somebody is now, as soon as somebody can be anybody. */
  let renewed = (principal: Principal): Principal | Promise<Principal> => principal;
  const stillMay = (principal: Principal) => demandStanding((one) => renewed(one), principal);
  /** Once documents are open; before that nobody signs up. */
  let definitions: Definitions | undefined;
  let live: LiveSessions | undefined;
  const openAccess = async () => {
    let changed = () => {};
    const held = await holdRules({
      store,
      changed: () => changed(),
      damaged: (reason) => log.error({ reason }, "the access rules cannot be used: everything is closed"),
    });
    opened.push(held);
    const rights = createRights({ store, clock, rules: held.current, renewed: (principal) => renewed(principal) });
    opened.push(rights);
    changed = () => {
      rights.changed();
      live?.rulesChanged();
    };
    const grantsRights = (collection: string) => held.current().rightsCollections.has(collection);
    const rulesVersion = () => held.current().version;
    const denials = await createDenials({ store, clock, rulesVersion, warn: log.warn.bind(log) });
    opened.push(denials);
    return { access: createAuthorizer(rights), grantsRights, denials, inForce: held.current, rulesRead: held.read };
  };
  const openDocuments = async ({ access, grantsRights }: Awaited<ReturnType<typeof openAccess>>) => {
    definitions = await openDefinitions({ store, clock, log });
    opened.push(definitions);
    const common = { store, definitions, clock, random, log };
    const documents = await createDocumentService({ ...common, secrets, development, grantsRights });
    opened.push(documents);
    const { declare } = definitions;
    return {
      declare,
      documents,
      collections: createCollectionService({ ...common, access, demandStanding: stillMay }),
    };
  };
  const openPeople = async ({ access, grantsRights }: Awaited<ReturnType<typeof openAccess>>) => {
    const definitionOf = (collection: string) => definitions?.get(collection);
    const profiles = createProfiles({ store, clock, access, grantsRights, definitionOf });
    const { audit, mail, limits, setUpLink, ...accounts } = await openAccounts({
      ...{ store, clock, random, log, secrets, development, publicUrl, profiles },
      renewed: (principal) => renewed(principal),
      environment: config.variables,
      issuer: ownUrl,
      transport: mailTransport(config, log),
      owner: config.admin,
      hashing: { poolThreads: config.poolThreads, cores: availableParallelism(), costs: parts.hashCosts },
    });
    opened.push(accounts);
    const keys = await createServiceKeys({
      ...{ store, clock, random, log, presets, limits, audit },
      renewed: (principal) => renewed(principal),
    });
    opened.push(keys);
    renewed = (principal) => (principal.kind === "key" ? keys : accounts.tokens).renew(principal);
    return { ...accounts, keys, auditLog: audit, mailLog: mail, setUp: { link: setUpLink } };
  };
  // Neither needs the other, and a start waits for both.
  const access = await openAccess().catch((error: unknown) => close().then(() => Promise.reject(error)));
  const [documents, people] = await Promise.allSettled([openDocuments(access), openPeople(access)]);
  if (documents.status === "fulfilled" && people.status === "fulfilled") {
    const { declare, ...services } = documents.value;
    const rules = createRulesService({
      ...{ store, clock, declare, demandStanding: stillMay, auditLine: people.value.auditLog.line },
      authorName: (principal) => authorName(store, principal),
      lints: createLints(lintSources({ store, definitionOf: (name) => definitions?.get(name) })),
      runTests: createTestRunner({
        open: createTestGalleys({
          ...{ openStore: openEmbedded, clock, random, log },
          schemaOf: (name) => definitions?.get(name)?.schema,
        }),
        clock,
      }),
    });
    const explain = createExplainService({
      ...{ store, clock, nearest, plan: listPlan, statements, ...access, people: createRulePeople(store) },
      definitions: { get: (name) => definitions?.get(name), all: () => definitions?.all() ?? [] },
      rules: access.inForce,
    });
    const collections = withTemplates(services.collections, rules);
    const { keys, tokens, requestLimits } = people.value;
    live = openLive({
      ...{ store, clock, random, log, secrets, development, keys, tokens, ...access },
      tellDenial: createDenialTeller({ denials: access.denials, explain, log, development }).tell,
      countRequest: requestLimits.take,
      definitions: { get: (name) => definitions?.get(name) },
      limits: parts.live,
    });
    opened.push(live);
    return {
      ...services,
      ...people.value,
      collections,
      access: access.access,
      denials: access.denials,
      explain,
      rules,
      live,
      close,
    };
  }
  await close();
  throw documents.status === "rejected" ? documents.reason : (people as PromiseRejectedResult).reason;
}

/** By a mail server, or into the folder `outbox` where none is named. */
function mailTransport({ smtpUrl, mailFrom, dataDir, mode }: Config, log: Log): MailTransport {
  if (smtpUrl !== undefined && mailFrom) return createSmtpTransport({ url: smtpUrl, from: mailFrom });
  const development = mode === "development";
  return createOutbox({ folder: join(dataDir, "outbox"), from: mailFrom, log, development });
}
