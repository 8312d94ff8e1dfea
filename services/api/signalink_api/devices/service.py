"""A user's devices: registering one again is seeing it again; of more than `MOST` the ones not seen longest go."""

from typing import Final
from uuid import UUID

from signalink_api.database import Database
from signalink_api.devices import repository
from signalink_api.devices.schemas import Device, DeviceRequest, Devices
from signalink_core.ids import uuid7

MOST: Final = 20


class DeviceService:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def mine(self, user_id: UUID) -> Devices:
        async with self._database.read() as db:
            return Devices(items=[Device.model_validate(row) for row in await repository.of_user(db, user_id)])

    async def put(self, user_id: UUID, asked: DeviceRequest) -> Device:
        async with self._database.begin() as db:
            device = Device.model_validate(await repository.put(db, uuid7(), user_id, asked.model_dump()))
            await repository.drop_oldest(db, user_id, MOST)
        return device

    async def delete(self, user_id: UUID, device_id: UUID) -> None:
        async with self._database.begin() as db:
            await repository.drop(db, user_id, device_id)
