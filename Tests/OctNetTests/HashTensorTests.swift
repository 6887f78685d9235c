import Testing

/// The Swift twin of Tools/fixtures/hashtensor.py gives the same bits; the values are the Python module's.
@Suite struct HashTensorTests {
  @Test func streams() {
    let seed = HashTensor.seed("conv1.weight")
    #expect(seed == 0x69A2_9A2C_EE47_D254)
    #expect(HashTensor.bits(seed, 0) == 0x8B8A_08A8_5128_A1B0)
    #expect(HashTensor.bits(seed, 1) == 0xBEC2_EBA8_2F6F_054F)
  }

  @Test func values() {
    #expect(
      HashTensor.uniform("input", count: 3) == [
        -0.8043633699417114, 0.30472075939178467, -0.5927515029907227,
      ])
    #expect(HashTensor.labels("labels", count: 8, classes: 10) == [5, 5, 2, 3, 1, 8, 9, 3])
    #expect(
      HashTensor.stateValue("bn1.bias", shape: [4])
        == [0x1.de6ed2p-1, 0x1.d0e96ep-1, 0x1.130bd8p+0, -0x1.e6a622p-1])
    #expect(
      HashTensor.stateValue("conv1.weight", shape: [2, 1, 1, 2])
        == [0x1.c43deap-4, 0x1.337782p-1, -0x1.2b2946p+0, 0x1.28398cp-1])
  }

  @Test func summaries() {
    #expect(
      HashTensor.summary("t", [1, 2, 4, 8, 16]) == [18.466185, -17, 13, 4, 8, 16, 16, 16, 8, 4, 4])
  }
}
