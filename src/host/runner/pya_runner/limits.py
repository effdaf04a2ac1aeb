"""Limits of what the runner does, and file names that several modules use."""

FORMAT = 1
LIFETIME = 30 * 60  # seconds after which a job is no longer started
ANNOUNCED = "announced"  # in a work folder: that the intent was written, and the deploy was alone then
JOURNAL = "journal.json"  # in a work folder: what a transaction will do, written before it starts
ELSEWHERE = "elsewhere.json"  # in a work folder: where else the job has files
WHEELS = "wheels"  # in the state folder: what an installation of requirements has made so far
RECEIPTS_KEPT = 20
HISTORY_KEPT = 50  # jobs, and deploys
HEARTBEAT_SECONDS = 5  # between heartbeats
HEARTBEAT_EXPIRES = 20  # seconds after which a runner on another machine is considered dead
PART_SIZE = 95 << 20  # bytes: less than the API accepts in one request
GROUP_SIZE = 4 << 20  # bytes of files that are packed between two looks at the clock
CHUNK_SIZE = 1 << 20
OUTPUT_HEAD, OUTPUT_TAIL = 64 << 10, 960 << 10
GRACE_SECONDS = 5  # between TERM and KILL
READ_RETRIES, READ_RETRY_SECONDS = 40, 0.05  # for a note that is being written
MAX_PLAN_SIZE = 64 << 20
MAX_PIECE = 7 << 20  # bytes of a file in an answer of the agent
MAX_STATE_TEXT = 4 << 20  # bytes of a note or manifest in an answer of the agent
RESERVE = 16 << 20  # bytes that must stay free where old files are kept for a rollback
VIRTUALENV_SIZE = 32 << 20  # bytes that a new virtualenv takes, with pip in it
MAX_VARIABLES = 64 << 10  # bytes of all variables of a web app
LONGEST_PROGRAM = 240  # seconds of a program in one step: the host ends a request after 300
