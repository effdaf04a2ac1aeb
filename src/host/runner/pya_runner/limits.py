"""Numbers that bound what the runner does, and the one name that several modules look for."""

FORMAT = 1
LIFETIME = 30 * 60  # seconds after which a job is not begun any more
JOURNAL = "journal.json"  # in a work folder: what a transaction does, written before it begins
ELSEWHERE = "elsewhere.json"  # the note of a work folder that says where else its job has files
RECEIPTS_KEPT = 20  # that are kept
HISTORY_KEPT = 50  # jobs that are remembered
HEARTBEAT_SECONDS = 5  # seconds between signs of life
HEARTBEAT_EXPIRES = 20  # seconds after which a runner on another machine is taken for dead
PART_SIZE = 95 << 20  # bytes: below what the API lets through in one piece
GROUP_SIZE = 4 << 20  # bytes of files that an archive step packs before it looks at the time
CHUNK_SIZE = 1 << 20
OUTPUT_HEAD, OUTPUT_TAIL = 64 << 10, 960 << 10
GRACE_SECONDS = 5  # seconds between TERM and KILL
READ_RETRIES, READ_RETRY_SECONDS = 40, 0.05  # how often, and how many seconds apart, a half-written note is looked at
MAX_PLAN_SIZE = 64 << 20
