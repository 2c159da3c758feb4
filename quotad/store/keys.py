"""Every key in Redis, spelled here and nowhere else.

All keys of a customer carry the hash tag of its shard, so that they live in one slot of a cluster
and one script can touch them together. The limit is never part of a key: changing a plan keeps
usage. `17` stands for the name of a shard, see `shard_names`.

    quotad:meta                              hash: layout, shards; see `shard_map`
    quotad:{17}:catalog                      tag of the catalog version in force in this shard
    quotad:{17}:customers                    sorted set of the shard's customer ids
    quotad:{17}:index                        sorted set of what they are found by; see `facets`
    quotad:{17}:indexed                      when all of the shard was last indexed (Unix ms)
    quotad:{17}:indexing                     a server is at it; expires
    quotad:{17}:seen                         sorted set of customers without a record, by time
    quotad:{17}:written                      sorted set of the latest writes of customers; expires
    quotad:{17}:erased                       sorted set of proofs of erasures, by time
    quotad:{17}:l                            stream of what is noted in the ledger; expires
    quotad:{17}:le                           hash of who is masked in it, by digest; expires
    quotad:{17}:events                       stream of writes of the shard's customers; expires
    quotad:{17}:c:<customer>                 customer record (msgpack)
    quotad:{17}:e:<customer>                 its epoch: `max(epoch + 1, now)` of writes; absent: 0
    quotad:{17}:u:<customer>:<resource>:<feature>:<period>    usage of one period; of a window that
                                             opens at first use "<used>@<when it closes, Unix ms>"
    quotad:{17}:d:<customer>:<resource>:<feature>:<period>    what that counter had no room for
    quotad:{17}:i:<customer>:<idempotency key>                what was taken under the key
    quotad:{17}:s:<customer>:<resource>:<feature>             sorted set of its slots, by end
    quotad:{17}:sq:<customer>:<resource>:<feature>            hash of what each of them holds
    quotad:{17}:uc:<customer>                its latest corrections, by time; expires
    quotad:{17}:ub:<customer>                how often its counters were rebuilt; expires
    quotad:{17}:cc:<customer>                list of its latest writes; expires
    quotad:{17}:cb:<customer>                hash: its record before them, by their epochs; expires
    quotad:{17}:j:<journal>                  how much of a journal is settled; expires
    quotad:{catalogs}:head                   hash: version, digest in force
    quotad:{catalogs}:versions               sorted set: digests by newest version
    quotad:{catalogs}:v:<version>            catalog record (msgpack)
    quotad:{catalogs}:prepared               hash: the candidate of a publish under way: version,
                                             digest, source_digest, token; expires
    quotad:{catalogs}:candidate              its record (msgpack); expires
    quotad:{catalogs}:acks                   hash: what servers have answered to it; expires
    quotad:{catalogs}:servers                sorted set: servers by their last sign of life
    quotad:{catalogs}:files, :kept           hash: files that catalogs were published from, and a
                                             sorted set of them, by time
    quotad:{catalogs}:d:<person>             hash: a draft: revision, data; expires
    quotad:{catalogs}:drafts                 sorted set: people who have one, by time
    quotad:{catalogs}:events                 stream of versions that came into force; expires
    quotad:{catalogs}:l                      stream of publishes in the ledger; expires
    quotad:{events}:usage                    stream of usage of watched customers; expires
    quotad:{events}:watched                  sorted set: customers whose usage is watched, by when
                                             that ends
    quotad:{decided}:<day>                   hash: decisions by quarter of an hour, reason and
                                             feature; expires
    quotad:{nearby}:<feature>                sorted set: customers near a limit, by time; and
                                             :since, by when they came near it
    quotad:{exports}:all                     hash: exports of the ledger, and since when each reads
    quotad:{exports}:<target>:<part>         hash: how far it is, and what it has to send
    quotad:{tokens}:all                      hash: tokens (msgpack) by id
    quotad:{tokens}:used                     hash: when each was last shown (Unix ms)
    quotad:{tokens}:writes                   how often they were written
    quotad:{tokens}:l                        stream of that in the ledger; expires
    quotad:{tokens}:sessions                 hash: sessions of the dashboard (msgpack)
    quotad:{tokens}:sessions-by-end          sorted set: the same by their end (Unix ms)
    quotad:{webhooks}:all                    hash: receivers of webhooks (msgpack) by id
    quotad:{webhooks}:l                      stream of their writes in the ledger; expires
    quotad:{webhooks}:log:<id>               list: the latest attempts to send to one; expires
    quotad:{tokens}:form-key                 what forms of people without a session are proven by
"""

from collections.abc import Sequence
from threading import Lock
from urllib.parse import unquote
from zlib import crc32

import msgspec

from quotad.store.shard_map import EVEN, NUMBERED, ShardMap, start_of_shard
from quotad.store.shard_names import even, numbers

__all__ = ["EVEN", "NUMBERED", "CustomerKeys", "KeySpace"]

SHARDS_DEFAULT = 32
"""How many shards the customers of a new store are spread over, when it is first used. More
make smaller batches on a cluster, and fewer cannot be spread evenly over as many nodes."""

STREAMS_KEPT_MS = 3_600_000
"""How long the events of shards that have moved are read in their old place, as long as they stay
there."""

_RESERVED = str.maketrans({"%": "%25", ":": "%3A", "{": "%7B", "}": "%7D"})


def escape(part: str) -> str:
    """Percent-encode what has a meaning in a key."""
    # To look for four characters costs a tenth of translating all.
    if ":" in part or "%" in part or "{" in part or "}" in part:
        return part.translate(_RESERVED)
    return part


def unescape(part: str) -> str:
    """What `escape` was given."""
    return unquote(part)


class CustomerKeys(msgspec.Struct, frozen=True, gc=False):
    """The keys of one customer; the usage and decision keys need an ending.

    In memory for every customer that is: so keys that no decision names are spelled when asked for.
    """

    customer_id: str
    start: str
    """What all of them start with, as those of its shard do."""
    name: str
    """The customer's, as it stands in keys."""
    catalog: str
    epoch: str
    customers: str
    index: str
    events: str
    usage: str
    """Prefix of the usage keys of the customer or of one of its resources; see `usage_suffix`."""
    decision: str
    """Prefix of the customer's idempotency keys, followed by the escaped key."""

    @property
    def record(self) -> str:
        """What the customer is on."""
        return f"{self.start}:c:{self.name}"

    @property
    def holds(self) -> str:
        """The customer's open reservations."""
        return f"{self.start}:h:{self.name}"

    @property
    def hold_ends(self) -> str:
        """When they end."""
        return f"{self.start}:he:{self.name}"


class KeySpace:
    """Spells the keys of one store.

    Args:
        prefix: sets environments that share a server apart.
        shards: number of hash tags, as the store was first used with; 0: whatever that was, and
            for a new store `SHARDS_DEFAULT`.
    """

    def __init__(self, prefix: str = "quotad", shards: int = 0) -> None:
        self.prefix = prefix
        self.chosen = bool(shards)
        """Whether the store must have this number of shards."""
        self.meta = f"{prefix}:meta"
        self.head = f"{prefix}:{{catalogs}}:head"
        self.versions = f"{prefix}:{{catalogs}}:versions"
        self.prepared = f"{prefix}:{{catalogs}}:prepared"
        self.candidate = f"{prefix}:{{catalogs}}:candidate"
        self.acks = f"{prefix}:{{catalogs}}:acks"
        self.servers = f"{prefix}:{{catalogs}}:servers"
        self.drafts = f"{prefix}:{{catalogs}}:drafts"
        self.catalog_files = tuple(f"{prefix}:{{catalogs}}:{name}" for name in ("files", "kept"))
        """Files that catalogs were published from, by digest, and when each was kept."""
        self.holds = f"{prefix}:holds"
        """Whether there has ever been a reservation."""
        self.tokens = tuple(f"{prefix}:{{tokens}}:{name}" for name in ("all", "used", "writes"))
        """Records of tokens, when they were last shown, and how often they were written."""
        self.sessions = tuple(
            f"{prefix}:{{tokens}}:{name}" for name in ("sessions", "sessions-by-end")
        )
        """Records of sessions, and the same by their end."""
        self.exports = f"{prefix}:{{exports}}:all"
        """Exports of the ledger, and since when each reads."""
        self.webhooks = f"{prefix}:{{webhooks}}:all"
        """Receivers of webhooks, by id."""
        self.form_key = f"{prefix}:{{tokens}}:form-key"
        self.notices = f"{prefix}:notices"
        """Pub/sub channel on which catalog versions are announced, prepared and in force."""
        self.catalog_events = f"{prefix}:{{catalogs}}:events"
        self.catalog_ledger = f"{prefix}:{{catalogs}}:l"
        self.token_ledger = f"{prefix}:{{tokens}}:l"
        self.webhook_ledger = f"{prefix}:{{webhooks}}:l"
        self.usage_events = f"{prefix}:{{events}}:usage"
        self.watched = f"{prefix}:{{events}}:watched"
        self.following = Lock()
        """Held while it is read where the shards are by now."""
        self.lay_out(shards or SHARDS_DEFAULT, EVEN)

    def lay_out(self, shards: int, layout: int) -> None:
        """Take over how the customers of the store are spread, before any key of one is spelled.

        Args:
            shards: number of hash tags.
            layout: `NUMBERED` or `EVEN`.
        """
        self.follow(ShardMap(shards, layout))

    def follow(self, spread: ShardMap) -> None:
        """Take over how the customers of the store are spread now; any thread may spell keys
        meanwhile.

        A shard is known by its place in the names of all that there are: where shards have moved,
        those with numbers come first, and their places are not given to others.
        """
        former, shards = spread.former, spread.shards
        named = numbers if spread.layout == NUMBERED else even
        names = (*numbers(former), *named(shards))
        starts = tuple(f"{self.prefix}:{{{name}}}" for name in names)
        if getattr(self, "_starts", None) != starts:
            self._starts = starts
            self.shard_catalogs = tuple(f"{start}:catalog" for start in starts)
            self.shard_customers = tuple(f"{start}:customers" for start in starts)
            self.shard_events = tuple(f"{start}:events" for start in starts)
            self.shard_indexes = tuple(f"{start}:index" for start in starts)
            self.shard_ledgers = tuple(f"{start}:l" for start in starts)
            self.shard_masks = tuple(f"{start}:le" for start in starts)
            self.shard_written = tuple(f"{start}:written" for start in starts)
            self.shard_indexed = tuple(f"{start}:indexed" for start in starts)
        self.shards = shards
        self.layout = spread.layout
        self.spread = spread
        if spread.moving:
            self.moving = True

    moving = False
    """Whether keys may have been spelled that are in another place by now."""

    @property
    def places(self) -> range:
        """The shards that have customers, or will have some."""
        return range(self.spread.moved if self.spread.former else 0, len(self._starts))

    @property
    def catalogs_in_force(self) -> Sequence[str]:
        """The keys of the tags of all shards that take something."""
        spread = self.spread
        return self.shard_catalogs[spread.gone :] if spread.former else self.shard_catalogs

    @property
    def catalogs_gone(self) -> Sequence[str]:
        """The same of those that take nothing any more."""
        return self.shard_catalogs[: self.spread.gone] if self.spread.former else ()

    @property
    def staying(self) -> set[str]:
        """What stays where it is when shards move, and is read there for as long as it is kept."""
        return {*self.catalogs_gone, *self.shard_events, *self.shard_ledgers, *self.shard_masks}

    def event_streams(self, now_ms: int, customer_id: str = "") -> list[str]:
        """Where writes of customers, or of one, are to be read of the last hour.

        Args:
            now_ms: Unix time.
            customer_id: empty: of all.
        """
        spread = self.spread
        lasting = spread.moving or now_ms < spread.ended_ms + STREAMS_KEPT_MS
        if not customer_id:
            return list(self.shard_events[0 if lasting else spread.former :])
        shard = self.shard(customer_id)
        found = [self.shard_events[shard]]
        if shard >= spread.former > 0 and lasting:
            found.insert(0, self.shard_events[self.grain(customer_id)])
        return found

    def catalog_record(self, version: int) -> str:
        """Where one published version is kept."""
        return f"{self.prefix}:{{catalogs}}:v:{version}"

    def export(self, target: str, part: str) -> str:
        """Where a part of an export has how far it is, and what it has to send."""
        return f"{self.prefix}:{{exports}}:{escape(target)}:{part}"

    def webhook_log(self, webhook_id: str) -> str:
        """Where the latest attempts to send to a receiver are kept."""
        return f"{self.prefix}:{{webhooks}}:log:{escape(webhook_id)}"

    def draft(self, owner: str) -> str:
        """Where a person's draft of the catalog is kept."""
        return f"{self.prefix}:{{catalogs}}:d:{escape(owner)}"

    @property
    def everything(self) -> str:
        """What all keys of the store start with."""
        return f"{self.prefix}:"

    def of_shard(self, shard: int) -> str:
        """What all keys of a shard start with."""
        return f"{self._starts[shard]}:"

    def journal(self, customer_id: str, journal_id: str) -> str:
        """How much of a journal is settled for the customers of a grain; see `grain`."""
        shard, grain = self.shard(customer_id), self.grain(customer_id)
        name = f"{grain}:{escape(journal_id)}" if self.is_joined(shard) else escape(journal_id)
        return f"{self._starts[shard]}:j:{name}"

    def is_joined(self, shard: int) -> bool:
        """Whether several former shards have moved into one."""
        return shard >= self.spread.former > 0

    def indexing(self, shard: int) -> str:
        """Held by the server that indexes a shard."""
        return f"{self._starts[shard]}:indexing"

    def seen(self, shard: int) -> str:
        """Customers of a shard that calls were about and that have no record."""
        return f"{self._starts[shard]}:seen"

    def erased(self, shard: int) -> str:
        """History of the erasures of a shard."""
        return f"{self._starts[shard]}:erased"

    def nearby(self, feature_id: str) -> str:
        """The customers near a limit of a feature."""
        return f"{self.prefix}:{{nearby}}:{escape(feature_id)}"

    def nearby_since(self, feature_id: str) -> str:
        """Since when each of them has been on that list."""
        return f"{self.nearby(feature_id)}:since"

    def decided(self, day: str) -> str:
        """How many decisions there were on a day (UTC)."""
        return f"{self.prefix}:{{decided}}:{day}"

    def corrections(self, customer_id: str) -> str:
        """The latest corrections of what a customer has used."""
        return f"{self.of_shard(self.shard(customer_id))}uc:{escape(customer_id)}"

    def rebuilt(self, customer_id: str) -> str:
        """How often counters of a customer were brought back to the ledger."""
        return f"{self.of_shard(self.shard(customer_id))}ub:{escape(customer_id)}"

    def changes(self, customer_id: str) -> str:
        """The latest writes of a customer."""
        return f"{self.of_shard(self.shard(customer_id))}cc:{escape(customer_id)}"

    def before(self, customer_id: str) -> str:
        """What a customer's record was before its latest writes."""
        return f"{self.of_shard(self.shard(customer_id))}cb:{escape(customer_id)}"

    def shard(self, customer_id: str) -> int:
        """The shard a customer lives in."""
        spread, number = self.spread, crc32(customer_id.encode())
        if not spread.former:
            return number % spread.shards
        grain = number % spread.former
        return grain if grain >= spread.moved else spread.former + number % spread.shards

    def grain(self, customer_id: str) -> int:
        """The customers that are moved together, and that have been settled together of a journal:
        those of a shard, or of the former one."""
        return crc32(customer_id.encode()) % (self.spread.former or self.spread.shards)

    def in_place(self, customer_id: str, name: str) -> str:
        """A key of a customer, which was spelled before, as it is spelled now."""
        start = start_of_shard(name)
        return self.of_shard(self.shard(customer_id)) + name[len(start) :]

    def customer(self, customer_id: str, resource_id: str = "") -> CustomerKeys:
        """All keys of one customer; usage is that of one resource, empty: of the customer."""
        shard = self.shard(customer_id)
        tag = self._starts[shard]
        name = escape(customer_id)
        resource = escape(resource_id) if resource_id else ""
        return CustomerKeys(
            customer_id=customer_id,
            start=tag,
            name=name,
            catalog=self.shard_catalogs[shard],
            epoch=f"{tag}:e:{name}",
            customers=self.shard_customers[shard],
            index=self.shard_indexes[shard],
            events=self.shard_events[shard],
            usage=f"{tag}:u:{name}:{resource}",
            decision=f"{tag}:i:{name}:",
        )


def usage_suffix(feature_id: str, period_id: str, generation: int = 0) -> str:
    """Ending of a usage key.

    Args:
        feature_id: what is counted.
        period_id: when.
        generation: how often a change of plan has reset the counters.
    """
    ending = f".r{generation}" if generation else ""
    return f":{escape(feature_id)}:{period_id}{ending}"


def ledger_key(keys: CustomerKeys) -> str:
    """Stream of the shard of a customer with what was counted and denied there."""
    return keys.catalog.removesuffix("catalog") + "l"


def denied_key(usage_key: str) -> str:
    """Key of what a counter had no room for, or the start of such keys, of that of the counter."""
    tag, _, rest = usage_key.partition("}:u:")
    return f"{tag}}}:d:{rest}"


def counted_by(usage_key: str) -> tuple[str, str]:
    """The resource and the feature of a counter, by its key."""
    _, resource, feature, _ = usage_key.partition("}:u:")[2].split(":", 3)
    return unescape(resource), unescape(feature)


def slot_names(keys: CustomerKeys, feature_id: str) -> tuple[str, str]:
    """Where the slots of a feature are kept: their ends, and what they hold.

    Spelled where they are needed: nearly all customers have none.

    Args:
        keys: of the customer or of one of its resources.
        feature_id: which.
    """
    ends, quantities = slot_starts(keys)
    feature = escape(feature_id)
    return f"{ends}:{feature}", f"{quantities}:{feature}"


def slot_starts(keys: CustomerKeys) -> tuple[str, str]:
    """What the keys of all slots of a customer, or of one of its resources, start with."""
    tag, _, name = keys.usage.rpartition("}:u:")
    return f"{tag}}}:s:{name}", f"{tag}}}:sq:{name}"


DIGEST_IN_TAG = 12
"""Characters of the digest in a catalog's tag."""


def catalog_tag(version: int, digest: str) -> str:
    """What a decision names its catalog by.

    The digest is in it because a failover can lose the newest version, and its number is then
    given to other content.
    """
    return f"{version}.{digest[:DIGEST_IN_TAG]}"
