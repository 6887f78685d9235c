import Testing

@testable import OctNetTensorBoard

struct ChecksumTests {
  /// RFC 3720, B.4, and the customary check value.
  @Test(
    arguments: [
      (Array("123456789".utf8), 0xE306_9283), (Array(repeating: 0, count: 32), 0x8A91_36AA),
      (Array(repeating: 0xFF, count: 32), 0x62A8_AB43), (Array(0..<32), 0x46DD_794E), ([], 0),
    ] as [([UInt8], UInt32)])
  func castagnoli(bytes: [UInt8], expected: UInt32) {
    #expect(CyclicRedundancyCheck.castagnoli(bytes) == expected)
  }

  @Test func ieee() {
    #expect(CyclicRedundancyCheck.ieee(Array("123456789".utf8)) == 0xCBF4_3926)
    // Every PNG file ends with it.
    #expect(CyclicRedundancyCheck.ieee(Array("IEND".utf8)) == 0xAE42_6082)
  }

  /// TensorBoard's own `masked_crc32c` gave these.
  @Test func masked() {
    #expect(EventRecord.maskedCheck(Array("123456789".utf8)) == 0xC78A_B0E5)
    #expect(EventRecord.maskedCheck([]) == 0xA282_EAD8)
  }

  @Test func adler32() {
    #expect(PNGEncoder.adler32(Array("Wikipedia".utf8)) == 0x11E6_0398)
    #expect(PNGEncoder.adler32([]) == 1)
    // Sums that wrap around their modulus.
    #expect(PNGEncoder.adler32(Array(repeating: 0xFF, count: 100_000)) == 0x149A_302C)
  }
}
