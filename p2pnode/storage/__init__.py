"""What a node keeps on its disk: the only folder that knows the database library.

- `folder`: what lies where in the data folder; `lock`: one process per data folder.
- `keys`: the node's secret seeds, and the secret of its interface.
- `journal`: the durable log, opened first and acknowledged before anything is sent. It stands on
  `journal_writer` (group commit), `journal_rows` (what a record writes), `journal_reader` (checked
  reads, also beside a running node), `journal_snapshots` (states at epochs' ends, certificates),
  `journal_pruning` (what may go), `compaction` (of the file), `journal_sizes` (what is kept),
  `migrations` (from earlier schemas), `log_check` (whether the log is whole), `records` (the
  values) and `database` (tables and errors).
- `artifacts`: content-addressed files, on `artifact_files`, `artifact_download` (what peers send),
  `artifact_upload` (what the owner sends) and `artifact_outputs` (of which jobs); `page_shelf`:
  pages of a snapshot that is being fetched.
- `errors`: everything that can go wrong, each with what to do about it; `disk`: durable writes.
"""

from p2pnode.storage.artifact_download import Download
from p2pnode.storage.artifacts import ArtifactStore, open_artifacts
from p2pnode.storage.disk import free_bytes
from p2pnode.storage.errors import (
    ArtifactMissing,
    ArtifactTooLarge,
    Contradiction,
    DamagedData,
    DataFolderExposed,
    DataFolderLocked,
    JournalMissing,
    KeyFileExposed,
    NewerSchema,
    NotADataFolder,
    SnapshotLost,
    StorageError,
    StorageFailed,
    WrongAccount,
    WrongNetwork,
)
from p2pnode.storage.folder import DataFolder, default_root, layout, prepare_data_folder
from p2pnode.storage.journal import Journal, open_journal
from p2pnode.storage.journal_reader import (
    JournalReader,
    copy_journal,
    open_readonly,
    replace_journal,
)
from p2pnode.storage.journal_sizes import JournalSizes
from p2pnode.storage.keys import NodeSeeds, create_seeds, load_or_create_seeds, load_or_create_token
from p2pnode.storage.lock import locked
from p2pnode.storage.page_shelf import PageShelf
from p2pnode.storage.records import (
    FinalCommit,
    JournalRecord,
    JournalStatistics,
    Note,
    OwnOperation,
    OwnSlot,
    PreparedReveal,
    SnapshotMark,
    SnapshotPage,
    StoredBlock,
    StoredCertificate,
)

__all__ = [
    "ArtifactMissing",
    "ArtifactStore",
    "ArtifactTooLarge",
    "Contradiction",
    "DamagedData",
    "DataFolder",
    "DataFolderExposed",
    "DataFolderLocked",
    "Download",
    "FinalCommit",
    "Journal",
    "JournalMissing",
    "JournalReader",
    "JournalRecord",
    "JournalSizes",
    "JournalStatistics",
    "KeyFileExposed",
    "NewerSchema",
    "NodeSeeds",
    "NotADataFolder",
    "Note",
    "OwnOperation",
    "OwnSlot",
    "PageShelf",
    "PreparedReveal",
    "SnapshotLost",
    "SnapshotMark",
    "SnapshotPage",
    "StorageError",
    "StorageFailed",
    "StoredBlock",
    "StoredCertificate",
    "WrongAccount",
    "WrongNetwork",
    "copy_journal",
    "create_seeds",
    "default_root",
    "free_bytes",
    "layout",
    "load_or_create_seeds",
    "load_or_create_token",
    "locked",
    "open_artifacts",
    "open_journal",
    "open_readonly",
    "prepare_data_folder",
    "replace_journal",
]
