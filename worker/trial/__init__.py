"""What training code imports, and its end of the local protocol: no asyncio, no gRPC, nothing heavy."""
