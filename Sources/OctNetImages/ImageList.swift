#if Images
  import OctNet

  /// A CSV file that names images and their classes: a header with the columns `path` and `label`, in any order and among
  /// others, and one row an image. Paths are relative to the file. A column `split` says `train`, `val` (`valid`,
  /// `validation`) or `test`.
  ///
  /// Cells may be quoted ("a ""b"", c"), lines end as they like. Classes are the labels of the training rows: by number where
  /// all are whole numbers, else by code points. Images stay in the order of the rows.
  struct ImageList {
    enum Split { case train, validation, test }

    private struct Row {
      let path: FilePath
      /// `nil` without that column.
      let label: FilePath?
      let split: Split?
    }

    /// Of the file: a hundred million short rows.
    private static let largestFile = 4 << 30

    let columns: [String]
    let hasSplits: Bool
    private let path: FilePath
    private let rows: [Row]

    /// - Parameter needsLabels: whether there must be labels.
    /// - Throws: `OctNetError.file` that names the line: a column or a cell that is missing, another split.
    init(_ path: FilePath, needsLabels: Bool = true) throws(OctNetError) {
      self.path = path
      let file = try FileReader(path, limit: Self.largestFile)
      var cells = CSVCells(try file.bytes(at: 0, count: file.size))
      func failure(_ line: Int, _ problem: String) -> OctNetError {
        .file(path: "\(path)", "line \(line): \(problem)")
      }
      guard var header = cells.next() else {
        throw OctNetError.file(path: "\(path)", "expected a header with path and label, found an empty file")
      }
      // Spreadsheets write a mark of byte order.
      if let first = header.cells.first, first.starts(with: [0xef, 0xbb, 0xbf]) {
        header.cells[0].removeFirst(3)
      }
      let names = header.cells.map { String(decoding: $0, as: UTF8.self) }
      columns = names
      let labelColumn = names.firstIndex(of: "label")
      guard let pathColumn = names.firstIndex(of: "path"), labelColumn != nil || !needsLabels else {
        throw failure(
          1,
          "expected a header with path\(needsLabels ? " and label" : ""), found \(names.joined(separator: ", "))"
        )
      }
      let splitColumn = names.firstIndex(of: "split")
      hasSplits = splitColumn != nil
      let folder = FilePath(bytes: Array(path.bytes[..<((path.bytes.lastIndex(of: 0x2f) ?? -1) + 1)]))
      var rows: [Row] = []
      while let row = cells.next() {
        guard row.cells != [[]] else { continue }
        guard row.isClosed else { throw failure(row.line, "a quotation mark without its end") }
        guard row.cells.count == names.count else {
          throw failure(
            row.line, "found \(numbered(row.cells.count, "cell")), expected \(names.count) as in the header")
        }
        let name = row.cells[pathColumn], label = labelColumn.map { row.cells[$0] }
        guard !name.isEmpty, label?.isEmpty != true else {
          throw failure(row.line, "no \(name.isEmpty ? "path" : "label")")
        }
        var split: Split?
        if let splitColumn {
          let text = String(decoding: row.cells[splitColumn], as: UTF8.self)
          guard let known = Self.splits[text] else {
            throw failure(row.line, "expected the split train, val or test, found \"\(text)\"")
          }
          split = known
        }
        let isAbsolute = name[0] == 0x2f || folder.bytes.isEmpty
        rows.append(
          Row(
            path: isAbsolute ? FilePath(bytes: name) : folder.appending(FilePath(bytes: name)),
            label: label.map(FilePath.init(bytes:)), split: split))
      }
      guard !rows.isEmpty else { throw OctNetError.file(path: "\(path)", "names no images") }
      self.rows = rows
    }

    private static let splits: [String: Split] = [
      "train": .train, "val": .validation, "valid": .validation, "validation": .validation, "test": .test,
    ]

    func has(_ split: Split) -> Bool { rows.contains { $0.split == split } }

    func missing(_ split: String) -> OctNetError {
      .file(path: "\(path)", "no row says \(split) in the column split")
    }

    /// - Parameters:
    ///   - split: `nil` for all rows.
    ///   - known: the classes of the training rows; `nil` for those of these.
    /// - Throws: `OctNetError.file` for other classes.
    func listing(of split: Split?, known: [FilePath]?) throws(OctNetError) -> ClassListing {
      let rows = split == nil ? rows : rows.filter { $0.split == split }
      let found = Set(rows.compactMap(\.label))
      let classes = known ?? Self.sorted(found)
      let labels = Dictionary(uniqueKeysWithValues: zip(classes, 0...))
      let strangers = found.subtracting(labels.keys)
      guard strangers.isEmpty else {
        throw OctNetError.file(
          path: "\(path)",
          "found classes that are not among those of the training images: \(ClassListing.list(Self.sorted(strangers))), "
            + "expected some of \(ClassListing.list(classes))")
      }
      return ClassListing(
        list: path, classes: classes,
        files: rows.map { row in ClassListing.File(path: row.path, label: row.label.flatMap { labels[$0] }) })
    }

    /// All images to be named: the test rows, else those for validation, else all.
    func listingOfAll() throws(OctNetError) -> ClassListing {
      try listing(of: has(.test) ? .test : has(.validation) ? .validation : nil, known: nil)
    }

    /// By number where all are whole numbers, else by code points.
    static func sorted(_ labels: Set<FilePath>) -> [FilePath] {
      let numbers = labels.compactMap { label in Int("\(label)").map { (number: $0, label: label) } }
      guard numbers.count == labels.count else { return labels.sorted() }
      return numbers.sorted { ($0.number, $0.label) < ($1.number, $1.label) }.map(\.label)
    }
  }

  /// Rows of a CSV file.
  private struct CSVCells {
    struct Row {
      /// From 1 on, where it begins.
      let line: Int
      var cells: [[UInt8]]
      /// Whether every quotation mark has its end.
      let isClosed: Bool
    }

    private let bytes: [UInt8]
    private var place = 0
    private var line = 1

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func next() -> Row? {
      guard place < bytes.count else { return nil }
      let start = line
      var cells: [[UInt8]] = [], cell: [UInt8] = []
      var isQuoted = false
      while place < bytes.count {
        let byte = bytes[place]
        place += 1
        if byte == 0x0a { line += 1 }
        switch byte {
        case UInt8(ascii: "\""):
          if isQuoted, place < bytes.count, bytes[place] == byte {
            cell.append(byte)
            place += 1
          } else {
            isQuoted.toggle()
          }
        case UInt8(ascii: ",") where !isQuoted:
          cells.append(cell)
          cell = []
        case 0x0a where !isQuoted:
          return Row(line: start, cells: cells + [cell], isClosed: true)
        case 0x0d where !isQuoted && (place == bytes.count || bytes[place] == 0x0a): break
        default: cell.append(byte)
        }
      }
      return Row(line: start, cells: cells + [cell], isClosed: !isQuoted)
    }
  }
#endif
