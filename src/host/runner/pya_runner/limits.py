"""Numbers that bound what the runner does, and the one name that several modules look for."""

FORMAT = 1
LIFETIME = 30 * 60  # seconds after which a job is not begun any more
ELSEWHERE = "elsewhere.json"  # the note of a work folder that says where else its job has files
RECEIPTS = 20  # that are kept
HISTORY = 50  # jobs that are remembered
BEAT = 5  # seconds between signs of life
DEAD = 20  # seconds after which a runner on another machine is taken for dead
PART = 95 << 20  # bytes: below what the API lets through in one piece
GROUP = 4 << 20  # bytes of files that an archive step packs before it looks at the time
CHUNK = 1 << 20
OUTPUT_HEAD, OUTPUT_TAIL = 64 << 10, 960 << 10
GRACE = 5  # seconds between TERM and KILL
LOOKS, LOOK = 40, 0.05  # how often, and how many seconds apart, a half-written note is looked at
LARGEST_PLAN = 64 << 20
