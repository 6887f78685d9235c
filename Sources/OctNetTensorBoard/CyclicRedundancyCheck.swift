/// A 32-bit cyclic redundancy check, bits reflected, start and end inverted: that of `events` records (Castagnoli's
/// polynomial) and that of PNG and zip (IEEE's).
struct CyclicRedundancyCheck: Sendable {
  /// CRC-32C.
  static let castagnoli = CyclicRedundancyCheck(reflectedPolynomial: 0x82F6_3B78)
  /// CRC-32.
  static let ieee = CyclicRedundancyCheck(reflectedPolynomial: 0xEDB8_8320)

  /// What eight steps of the division make of each byte.
  private let table: [UInt32]

  init(reflectedPolynomial polynomial: UInt32) {
    table = (0..<256).map { byte in
      (0..<8).reduce(UInt32(byte)) { rest, _ in rest & 1 == 1 ? rest >> 1 ^ polynomial : rest >> 1 }
    }
  }

  func callAsFunction(_ bytes: some Sequence<UInt8>) -> UInt32 {
    table.withUnsafeBufferPointer { table in
      ~bytes.reduce(~0) { rest, byte in table[Int((rest ^ UInt32(byte)) & 0xFF)] ^ rest >> 8 }
    }
  }
}
