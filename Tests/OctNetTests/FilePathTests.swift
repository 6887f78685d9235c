import Testing

import OctNet

@Suite struct FilePathTests {
  private let invalid = FilePath(bytes: [0x63, 0xe9, 0x2f, 0xff])

  @Test func bytesThatAreNoTextAreShown() {
    #expect(FilePath("é/ü").description == "é/ü")
    #expect(invalid.description == "c\\xe9/\\xff")
    #expect(!invalid.isText && FilePath("é").isText)
    #expect(FilePath("a").appending(FilePath("b")) == FilePath("a/b"))
    #expect(FilePath("/").appending(FilePath("b")) == FilePath("/b"))
  }

  /// As Python sorts what `os.listdir` gives it; a byte that is no UTF-8 is U+DC80 to U+DCFF there.
  @Test func orderIsPythons() {
    let sorted: [FilePath] = [
      FilePath("B"), FilePath("a"), FilePath("a-b"), FilePath("a/b"), FilePath("e\u{301}"),
      FilePath("\u{e9}"),
      FilePath("\u{e9}a"), FilePath("\u{d7ff}"), FilePath(bytes: [0x80]), FilePath(bytes: [0xc3]),
      FilePath(bytes: [0xc3, 0x61]), FilePath(bytes: [0xc3, 0xc3, 0xa9]), FilePath(bytes: [0xff]),
      FilePath("\u{e000}"), FilePath("\u{1f600}"),
    ]
    #expect(sorted.reversed().sorted() == sorted)
    for (a, b) in zip(sorted, sorted.dropFirst()) { #expect(a < b && !(b < a), "\(a) \(b)") }
    // One letter, two spellings, two names.
    #expect(FilePath("\u{e9}") != FilePath("e\u{301}"))
  }
}
