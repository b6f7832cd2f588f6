"""A gallery on a Milvus server or cluster: the same examples and facts as in a file, searched by Milvus (2.3 and newer).

- The **examples** are one collection, their features indexed in cells (IVF) and compared as the encoder's card says. The
  **facts** are properties of that collection, which are changed all at once and read back at once (``connection.py``).
- **Files** that are kept, pictures and facts too long for a property, are cut into texts of a second collection
  (``files.py``). They are written before the row or the property that refers to them, and removed after it: a crash leaves
  no example without its picture, but perhaps a picture without an example, which is swept away later.
- **Ids** are given out in blocks (``ids.py``), so that no two clients ever give the same.
- **Reading** waits for what was written: every change leaves a new mark in the properties, and the first query that finds a
  new mark is a strong one. It waits until all writes can be seen, 0.2 to 0.4 s as Milvus is set by default.

All or nothing: what one call adds is one request. Milvus writes it into its log as one message up to about 5 MB, and as
several above; a crash of Milvus itself between them can leave a part. Two clients that enroll the same picture under the
same label within the same moment may both add it.
"""

from lowshot.gallery.milvus.connection import is_there
from lowshot.gallery.milvus.store import MilvusStore

__all__ = ["MilvusStore", "is_there"]
