import OctNetSupport

/// An array whose elements lie in memory at multiples of strides, as PyTorch's views and NumPy's Fortran order do.
struct StridedArray {
  let shape: [Int]
  /// Elements from one index to the next, 0 or more, of each dimension.
  let strides: [Int]
  /// The product of the shape.
  let count: Int
  /// From the first element to behind the last one.
  let extent: Int

  /// More dimensions have no array that anybody stores.
  static let maximumRank = 32

  /// `nil` for negative numbers, different ranks, too many dimensions, and sizes that overflow.
  init?(shape: [Int], strides: [Int]) {
    guard shape.count == strides.count, shape.count <= Self.maximumRank,
      (shape + strides).allSatisfy({ $0 >= 0 })
    else { return nil }
    var (count, last) = (1, 0)
    for (length, stride) in zip(shape, strides) {
      // Zeros come last, so that the other sizes are looked at in any case.
      let (product, overflow) = count.multipliedReportingOverflow(by: max(1, length))
      let (way, wayOverflow) = stride.multipliedReportingOverflow(by: max(0, length - 1))
      let (sum, sumOverflow) = last.addingReportingOverflow(way)
      if overflow || wayOverflow || sumOverflow { return nil }
      (count, last) = (product, sum)
    }
    guard count <= 1 << 48, last <= 1 << 48 else { return nil }
    self.shape = shape
    self.strides = strides
    self.count = shape.contains(0) ? 0 : count
    extent = shape.contains(0) ? 0 : last + 1
  }

  /// The strides of rows one after the other.
  static func rowMajorStrides(of shape: [Int]) -> [Int] {
    var strides = Array(repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1].multipliedReportingOverflow(by: max(1, shape[axis + 1])).partialValue
    }
    return strides
  }

  /// Whether elements lie one after the other as they are numbered.
  var isRowMajor: Bool {
    zip(zip(shape, strides), Self.rowMajorStrides(of: shape)).allSatisfy { $0.0 <= 1 || $0.1 == $1 }
  }

  /// The elements one after the other, of `extent` elements of `size` bytes as they lie.
  func rowMajor(_ bytes: [UInt8], size: Int) -> [UInt8] {
    precondition(bytes.count == extent * size, "\(bytes.count) bytes for \(extent) elements of \(size)")
    if isRowMajor { return bytes }
    switch size {
    case 1: return gather(bytes, UInt8.self)
    case 2: return gather(bytes, UInt16.self)
    case 4: return gather(bytes, UInt32.self)
    default: return gather(bytes, UInt64.self)
    }
  }

  private func gather<Element: FixedWidthInteger & BitwiseCopyable>(
    _ bytes: [UInt8], _ type: Element.Type
  ) -> [UInt8] {
    let size = MemoryLayout<Element>.size
    let (length, step) = (shape.last ?? 1, (strides.last ?? 0) * size)
    return [UInt8](unsafeUninitializedCapacity: count * size) { output, initialized in
      let target = UnsafeMutableRawBufferPointer(output)
      bytes.withUnsafeBytes { source in
        var index = Array(repeating: 0, count: max(0, shape.count - 1))
        var place = 0
        while initialized < count * size {
          var from = place * size
          for _ in 0..<length {
            target.storeBytes(
              of: source.loadUnaligned(fromByteOffset: from, as: type), toByteOffset: initialized, as: type)
            from += step
            initialized += size
          }
          // The next row, as an odometer counts.
          for axis in index.indices.reversed() {
            index[axis] += 1
            place += strides[axis]
            if index[axis] < shape[axis] { break }
            place -= strides[axis] * shape[axis]
            index[axis] = 0
          }
        }
      }
    }
  }
}

/// The bytes that arrays of a file may take altogether: many of them can be made of one and the same piece of it.
struct ArrayBudget {
  let path: String
  private let limit: Int
  private var taken = 0

  init(path: String, fileSize: Int, factor: Int = 16) {
    self.path = path
    limit = min(fileSize, .max / 2 / factor) * factor + (1 << 20)
  }

  /// - Throws: `OctNetError.file`, which names the array, where the limit is reached.
  mutating func take(_ count: Int, elementSize: Int, for name: String) throws(OctNetError) {
    let (bytes, overflow) = count.multipliedReportingOverflow(by: elementSize)
    guard !overflow, bytes <= limit - taken else {
      throw OctNetError.file(
        path: path,
        "\"\(StateMismatch.shortened(name))\": the arrays up to this one take more than \(numbered(limit, "byte")), expected no more for a file of this size"
      )
    }
    taken += bytes
  }
}
